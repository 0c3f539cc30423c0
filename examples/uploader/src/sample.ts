import manifest from '../../hello/spin.toml'
import wasm from '../../hello/hello.wasm'
import page from '../../hello/static/index.html'

/** `examples/hello`, so that the page does something with nothing in hand. */
export const sample: Readonly<Record<string, string | Uint8Array>> = {
  'spin.toml': manifest,
  'hello.wasm': wasm,
  'static/index.html': page,
}
