import manifest from '../hello/spin.toml'
import wasm from '../hello/hello.wasm'
import icon from '../hello/static/icon.svg'
import page from '../hello/static/index.html'
import style from '../hello/static/style.css'

/** `examples/hello`, so that a page does something with nothing in hand. */
export const sample: Readonly<Record<string, string | Uint8Array>> = {
  'spin.toml': manifest,
  'hello.wasm': wasm,
  'static/icon.svg': icon,
  'static/index.html': page,
  'static/style.css': style,
}
