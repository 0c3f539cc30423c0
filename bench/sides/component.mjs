// One component in Node, in a process of its own: from bytes to the first answer, then one fresh
// instance for each request. `spindle` through its whole handler, `jco` through what it generates.
import { readFileSync } from 'node:fs'
import process from 'node:process'

const [name, path, count] = process.argv.slice(2)
const wasm = new Uint8Array(readFileSync(path))
const ask = name === 'jco' ? await prepareJco() : await prepareSpindle()

// What loads the engine and the tool itself is not counted on either side.
const started = performance.now()
const answer = await ask.start()
const first = await answer()
const cold = performance.now() - started
if (!first.startsWith('method 0')) throw new Error(`${name} answered ${first}`)
const samples = []
for (let i = 0; i < Number(count); i++) {
  const before = performance.now()
  await answer()
  samples.push(performance.now() - before)
}
console.log(JSON.stringify({ cold, each: samples.toSorted((a, b) => a - b)[samples.length >> 1] }))

async function prepareSpindle() {
  const { createAppHandler } = await import('../../dist/run.js')
  const digest = `sha256:${'0'.repeat(64)}`
  const app = {
    descriptor: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 2 },
    locked: {
      spin_lock_version: 0,
      metadata: { name: 'bench' },
      triggers: [
        { id: 't', trigger_type: 'http', trigger_config: { route: '/...', component: 'guest' } },
      ],
      components: [{ id: 'guest', source: { content_type: 'application/wasm', digest } }],
    },
    component: async () => wasm,
    files: async () => new Map(),
  }
  return {
    async start() {
      const { fetch } = await createAppHandler(app)
      return async () => (await fetch(new Request('http://127.0.0.1/p'))).text()
    },
  }
}

async function prepareJco() {
  const { $init, generate } = await import('@bytecodealliance/jco-transpile/component')
  await $init
  return {
    async start() {
      const { files } = generate(wasm, {
        name: 'c',
        instantiation: { tag: 'async' },
        noTypescript: true,
        noNodejsCompat: true,
        base64Cutoff: 0,
      })
      const source = new TextDecoder().decode(files.find(([file]) => file.endsWith('.js'))[1])
      const { instantiate } = await import(`data:text/javascript,${encodeURIComponent(source)}`)
      const cores = new Map()
      for (const [file, bytes] of files)
        if (file.endsWith('.wasm')) cores.set(file, await WebAssembly.compile(bytes))
      // What its user would write around it, so that both answer a Request with a Response.
      return async () => {
        const request = new Request('http://127.0.0.1/p')
        const { pathname, search } = new URL(request.url)
        const instance = await instantiate((file) => cores.get(file), {})
        const { status, headers, body } = instance['fermyon:spin/inbound-http'].handleRequest({
          method: request.method.toLowerCase(),
          uri: pathname + search,
          headers: [...request.headers],
          params: [],
          body: new Uint8Array(await request.arrayBuffer()),
        })
        return new Response(body, { status, headers }).text()
      }
    },
  }
}
