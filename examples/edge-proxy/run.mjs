// `node examples/edge-proxy/run.mjs`: the proxy in workerd on this machine, before a registry on this
// machine that has a signed application. `--port 8787` is where it answers.
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { buildLibrary, root } from '../built.mjs'
import { buildEdgeProxy } from './build.mjs'
import { createLocalWorker } from './miniflare.mjs'

const { port = '8787' } = parseArgs({ options: { port: { type: 'string' } } }).values
buildLibrary()
const { createKeySigner, formatPublicKey, generateKeyPair, loadApp, push, sign } =
  await import('spindle')
const { createRegistryHandler } = await import('spindle/serve')
const { listen, readDirectory } = await import('spindle/node')

const registry = await listen(createRegistryHandler())
const reference = `${new URL(registry.url).host}/hello:1`
const { privateKey, publicKey } = await generateKeyPair()
await push(await loadApp(await readDirectory(join(root, 'examples', 'hello'))), reference)
await sign(reference, await createKeySigner(privateKey))

const worker = createLocalWorker(
  await buildEdgeProxy(),
  {
    REFERENCE: reference,
    POLICY: JSON.stringify({
      key: await formatPublicKey(publicKey),
      requireTransparencyLog: false,
    }),
    VARIABLES: JSON.stringify({ greeting: 'Hello' }),
    TTL: '10',
    METRICS_TOKEN: 'local',
  },
  { host: '127.0.0.1', port: Number(port) },
)
const url = await worker.ready
console.log(`proxy     ${url}hello/world`)
console.log(`health    ${url}_edge/health`)
console.log(`metrics   curl -H 'authorization: Bearer local' ${url}_edge/metrics`)
console.log(`registry  ${registry.url}/v2/  (push ${reference} again, and in 10 s it answers)`)
console.log('Ctrl+C ends both.')
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void Promise.all([worker.dispose(), registry.close()]))
