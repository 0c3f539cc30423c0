// `node examples/edge-proxy/run.mjs`: the proxy in workerd on this machine, before a registry on this
// machine that has a signed application. `--port 8787` is where it answers; with `--bound` the
// application's modules are bound when it is built, instead of loaded when it is asked for.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { buildLibrary, root } from '../built.mjs'
import { buildBoundEdgeProxy, buildEdgeProxy } from './build.mjs'
import { createLocalWorker, LOADER } from './miniflare.mjs'

const { port = '8787', bound = false } = parseArgs({
  options: { port: { type: 'string' }, bound: { type: 'boolean' } },
}).values
buildLibrary()
const { createKeySigner, formatPublicKey, generateKeyPair, loadApp, push, sign } =
  await import('spindle')
const { createRegistryHandler } = await import('spindle/serve')
const { listen, openDirectory } = await import('spindle/node')

const app = join(root, 'examples', 'hello')
const registry = await listen(createRegistryHandler())
const reference = `${new URL(registry.url).host}/hello:1`
const { privateKey, publicKey } = await generateKeyPair()
await push(await loadApp(await openDirectory(app)), reference)
await sign(reference, await createKeySigner(privateKey))

/** As README.md tells to type it. */
async function buildBound() {
  const folder = mkdtempSync(join(tmpdir(), 'spindle-edge-'))
  try {
    const cli = join(root, 'dist', 'cli.js')
    const args = [cli, 'build-worker', app, '-o', join(folder, 'app')]
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    return await buildBoundEdgeProxy(join(folder, 'app'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const worker = createLocalWorker(
  await (bound ? buildBound() : buildEdgeProxy()),
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
  { host: '127.0.0.1', port: Number(port), ...(bound ? {} : LOADER) },
)
const url = await worker.ready
console.log(`proxy     ${url}hello/world`)
console.log(`health    ${url}_edge/health`)
console.log(`metrics   curl -H 'authorization: Bearer local' ${url}_edge/metrics`)
console.log(`registry  ${registry.url}/v2/  (push ${reference} again, and in 10 s it answers)`)
console.log('Ctrl+C ends both.')
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void Promise.all([worker.dispose(), registry.close()]))
