// `npm start`: the pages and servers of this project together, on loopback.
// `npm start -- --port 8000` puts the page there; the servers take the ports after it.
import process from 'node:process'
import { parseArgs } from 'node:util'
import { buildLibrary } from './built.mjs'
import { createPageHandler } from './page-handler.mjs'
import { buildUploader } from './uploader/build.mjs'

const DEFAULT_PORT = 4300

function readPort() {
  try {
    const { port = String(DEFAULT_PORT) } = parseArgs({
      options: { port: { type: 'string' } },
    }).values
    const number = Number(port)
    // Room for the servers that take the ports after it.
    if (!Number.isInteger(number) || number < 0 || number > 65000)
      throw new Error(`${port} is not a port`)
    return number
  } catch (error) {
    console.error(`${error.message}\nusage: npm start -- [--port NUMBER]`)
    process.exit(2)
  }
}

const base = readPort()
buildLibrary()
const { createRegistryHandler } = await import('spindle/serve')
const { listen } = await import('spindle/node')

/** The port wanted, or any that is free. */
async function listenNear(handler, offset) {
  if (base === 0) return listen(handler)
  try {
    return await listen(handler, { port: base + offset })
  } catch (error) {
    if (error.code !== 'EADDRINUSE') throw error
    return listen(handler)
  }
}

const { folder } = await buildUploader()
const page = await listenNear(createPageHandler(folder), 0)
const { port } = new URL(page.url)
const origins = [page.url, `http://localhost:${port}`]
const registry = await listenNear(createRegistryHandler({ cors: { origins } }), 1)
const host = new URL(registry.url).host

const running = [
  ['uploader', `${page.url}/?to=${encodeURIComponent(`${host}/hello:1.0.0`)}`, page],
  ['registry', `${registry.url}/v2/  (in memory, open to this machine)`, registry],
]
for (const [name, where] of running) console.log(`${name.padEnd(12)} ${where}`)
console.log('Ctrl+C ends all of it.')

let isClosing = false
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    // A second one does not wait.
    if (isClosing) process.exit(1)
    isClosing = true
    void Promise.all(running.map(([, , server]) => server.close()))
  })
}
