import { $init, generate } from '@bytecodealliance/jco-transpile/component'

type Instantiate = (getCore: (path: string) => WebAssembly.Module, imports: object) => object

/** What a component exports, as the JavaScript that jco makes of it. */
export async function throughJco<T extends object>(
  component: Uint8Array,
  imports: object,
): Promise<T> {
  await $init
  const { files } = generate(component, {
    name: 'c',
    instantiation: { tag: 'sync' },
    noTypescript: true,
    noNodejsCompat: true,
    base64Cutoff: 0,
  } as Parameters<typeof generate>[1])
  const cores = new Map(files.filter(([name]) => name.endsWith('.wasm')))
  const source = new TextDecoder().decode(files.find(([name]) => name.endsWith('.js'))?.[1])
  const { instantiate } = (await import(
    /* @vite-ignore */ `data:text/javascript,${encodeURIComponent(source)}`
  )) as { instantiate: Instantiate }
  const core = (path: string): WebAssembly.Module =>
    new WebAssembly.Module(cores.get(path) as Uint8Array<ArrayBuffer>)
  return instantiate(core, imports) as T
}
