// One component behind a port, in a process of its own: from its bytes to the first answer, then one
// fresh instance for each request. `spindle` through its handler, `jco` through what it generates and
// the server of its preview2-shim.
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { benchApp, spinForJco } from './bench-app.mjs'

const [name, guest, path, count] = process.argv.slice(2)
const wasm = new Uint8Array(readFileSync(guest))
const start = name === 'jco' ? await prepareJco() : await prepareSpindle()
// The client's own first request is not counted on either side.
await fetch(await warmUp())

// What loads the engine and the tool itself is not counted on either side.
const started = performance.now()
const url = (await start()) + path
const first = await ask(url)
const cold = performance.now() - started
const samples = []
for (let i = 0; i < Number(count); i++) {
  const before = performance.now()
  if ((await ask(url)) !== first) throw new Error(`${name} does not answer the same again`)
  samples.push(performance.now() - before)
}
const each = samples.toSorted((a, b) => a - b)[samples.length >> 1]
console.log(JSON.stringify({ cold, each, first }))
process.exit()

async function ask(url) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${name} answers ${response.status}`)
  return response.text()
}

async function warmUp() {
  const { createServer } = await import('node:http')
  const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${server.address().port}`
}

async function prepareSpindle() {
  const [{ createAppHandler }, { listen }] = await Promise.all([
    import('../../dist/run.js'),
    import('../../dist/node.js'),
  ])
  return async () => (await listen(await createAppHandler(benchApp(wasm)))).url
}

async function prepareJco() {
  const [{ $init, generate }, { HTTPServer }, { WASIShim }] = await Promise.all([
    import('@bytecodealliance/jco-transpile/component'),
    import('@bytecodealliance/preview2-shim/http'),
    import('@bytecodealliance/preview2-shim/instantiation'),
  ])
  await $init
  const imports = {
    ...new WASIShim({ sandbox: { preopens: {}, env: {}, args: [] } }).getImportObject(),
    ...spinForJco,
  }
  return async () => {
    const { files } = generate(wasm, {
      name: 'c',
      instantiation: { tag: 'sync' },
      noTypescript: true,
      noNodejsCompat: true,
      base64Cutoff: 0,
    })
    const source = new TextDecoder().decode(files.find(([file]) => file.endsWith('.js'))[1])
    const { instantiate } = await import(`data:text/javascript,${encodeURIComponent(source)}`)
    const cores = new Map()
    for (const [file, bytes] of files)
      if (file.endsWith('.wasm')) cores.set(file, await WebAssembly.compile(bytes))
    const server = new HTTPServer({
      handle: (request, response) =>
        instantiate((file) => cores.get(file), imports).incomingHandler.handle(request, response),
    })
    server.listen(0, '127.0.0.1')
    return `http://127.0.0.1:${server.address().port}`
  }
}
