// One component in a page: from its bytes to the first answer, then one fresh instance for each request.
import { $init, generate } from '@bytecodealliance/jco-transpile/component'
import { ASYNC_WASI_EXPORTS, ASYNC_WASI_IMPORTS } from 'jco-constants'
import { InMemoryHttpClient } from '@bytecodealliance/preview2-shim/http'
import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation'
import { createAppHandler } from '../../dist/run.js'
import { benchApp, spinForJco } from './bench-app.mjs'

const SIDES = { spindle: startSpindle, jco: startJco }

globalThis.measure = async (name, guest, path, count) => {
  const wasm = new Uint8Array(await (await fetch(guest)).arrayBuffer())
  if (name === 'jco') await $init
  const request = () => new Request(location.origin + path)
  const started = performance.now()
  const send = await SIDES[name](wasm)
  const first = await (await send(request())).text()
  const cold = performance.now() - started
  const samples = []
  for (let i = 0; i < count; i++) {
    const before = performance.now()
    const text = await (await send(request())).text()
    if (text !== first) throw new Error(`${name} does not answer the same again`)
    samples.push(performance.now() - before)
  }
  return { cold, each: samples.toSorted((a, b) => a - b)[samples.length >> 1], first }
}

async function startSpindle(wasm) {
  return (await createAppHandler(benchApp(wasm))).fetch
}

async function startJco(wasm) {
  const { files } = generate(wasm, {
    name: 'c',
    instantiation: { tag: 'async' },
    asyncMode: { tag: 'jspi', val: { imports: ASYNC_WASI_IMPORTS, exports: ASYNC_WASI_EXPORTS } },
    noTypescript: true,
    noNodejsCompat: true,
    base64Cutoff: 0,
  })
  const source = new Blob([files.find(([file]) => file.endsWith('.js'))[1]], {
    type: 'text/javascript',
  })
  const { instantiate } = await import(URL.createObjectURL(source))
  const cores = new Map()
  for (const [file, bytes] of files)
    if (file.endsWith('.wasm')) cores.set(file, await WebAssembly.compile(bytes))
  const imports = {
    ...new WASIShim({ sandbox: { preopens: {}, env: {}, args: [] } }).getImportObject(),
    ...spinForJco,
  }
  return async (request) => {
    const { incomingHandler } = await instantiate((file) => cores.get(file), imports)
    return new InMemoryHttpClient(incomingHandler).fetch(request)
  }
}
