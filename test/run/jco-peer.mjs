// A component behind HTTP as jco's users would run it: transpiled by jco, its interfaces from
// preview2-shim, a fresh instance for each request. Says its port on stdout, and why an instance failed
// on stderr. `node jco-peer.mjs GUEST.wasm FOLDER`: the folder is what the component sees as `/`.
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { $init, generate } from '@bytecodealliance/jco-transpile/component'
import { HTTPServer } from '@bytecodealliance/preview2-shim/http'
import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation'

const [guest, folder] = process.argv.slice(2)

/** What preview2-shim has not, with the contents that the test gives to Spindle too. */
const spin = {
  'fermyon:spin/variables': {
    get(name) {
      if (name === 'greeting') return 'Hello'
      throw { tag: 'undefined', val: name }
    },
  },
  'fermyon:spin/key-value': {
    Store: class Store {
      #values = new Map()
      static open(label) {
        if (label === 'default') return new Store()
        throw { tag: 'access-denied' }
      }
      get(key) {
        return this.#values.get(key)
      }
      set(key, value) {
        this.#values.set(key, value)
      }
    },
  },
  'fermyon:spin/sqlite': {
    Connection: class Connection {
      static open() {
        throw { tag: 'access-denied' }
      }
    },
  },
}

await $init
const { files } = generate(readFileSync(guest), {
  name: 'c',
  instantiation: { tag: 'sync' },
  noTypescript: true,
  noNodejsCompat: true,
  base64Cutoff: 0,
})
const cores = new Map()
for (const [name, bytes] of files)
  if (name.endsWith('.wasm')) cores.set(name, new WebAssembly.Module(bytes))
const source = new TextDecoder().decode(files.find(([name]) => name.endsWith('.js'))[1])
const { instantiate } = await import(`data:text/javascript,${encodeURIComponent(source)}`)
const shim = new WASIShim({
  sandbox: { preopens: { '/': folder }, env: { MODE: 'test' }, args: [] },
})
const imports = { ...shim.getImportObject(), ...spin }

const server = new HTTPServer({
  handle(request, response) {
    try {
      instantiate((name) => cores.get(name), imports).incomingHandler.handle(request, response)
    } catch (error) {
      console.error(String(error))
    }
  },
})
server.listen(0, '127.0.0.1')
console.log(server.address().port)
