// `npm start`: the pages and servers of this project together, on loopback.
// `npm start -- --port 8000` puts the pages there; the servers take the ports after it.
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { buildLibrary, root } from './built.mjs'
import { RELAY_PREFIX, servePages } from './pages.mjs'

const DEFAULT_PORT = 4300
/** Where the relay goes, for pages on this machine only: these let no page in themselves. */
const RELAYED = ['docker.io', 'ghcr.io', 'quay.io', 'registry.gitlab.com']

function readOptions() {
  try {
    const { port = String(DEFAULT_PORT), relay = RELAYED.join(',') } = parseArgs({
      options: { port: { type: 'string' }, relay: { type: 'string' } },
    }).values
    const number = Number(port)
    // Room for the servers that take the ports after it.
    if (!Number.isInteger(number) || number < 0 || number > 65000)
      throw new Error(`${port} is not a port`)
    return { base: number, relayed: relay.split(',').filter((host) => host !== '') }
  } catch (error) {
    console.error(
      `${error.message}\nusage: npm start -- [--port NUMBER] [--relay HOST,HOST: where the relay goes]`,
    )
    process.exit(2)
  }
}

const { base, relayed } = readOptions()
buildLibrary()
const { createBindleHandler, createRegistryHandler, createRelayHandler } =
  await import('spindle/serve')
const { listen, resolveHost } = await import('spindle/node')

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

const { page, preview, origin, previewOrigin, origins } = await servePages({
  listen: listenNear,
  folder: join(root, 'examples', 'dist'),
  relayed,
  createRelay: (origins) =>
    createRelayHandler({
      registries: relayed,
      origins,
      prefix: RELAY_PREFIX,
      // With the login of whoever uses the page: the relay has none.
      writable: () => true,
      resolveHost,
    }),
})
const cors = { origins }
const registry = await listenNear(createRegistryHandler({ cors }), 2)
const bindle = await listenNear(createBindleHandler({ cors }), 3)
const { host } = new URL(registry.url)

const lines = [
  ['uploader', `${origin}/?to=${encodeURIComponent(`${host}/hello:1.0.0`)}`],
  ['playground', `${origin}/playground/`],
  ['registry', `${registry.url}/v2/  (in memory, open to this machine)`],
  ['bindle', `${bindle.url}/v1/  (in memory, open to this machine)`],
  [
    'relay',
    `${origin}${RELAY_PREFIX}/  (for these pages, to ${relayed.join(', ') || 'no registry'})`,
  ],
  ['previews', `${previewOrigin}  (the applications’ own pages)`],
]
for (const [name, where] of lines) console.log(`${name.padEnd(12)} ${where}`)
console.log(`Where a browser does not know that name: ${page.url}`)
console.log('Ctrl+C ends all of it.')

let isClosing = false
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    // A second one does not wait.
    if (isClosing) process.exit(1)
    isClosing = true
    void Promise.all([page, preview, registry, bindle].map((server) => server.close()))
  })
}
