import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

async function findPort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Whether something listens there. */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.end())
  })
}

/**
 * docker-registry over a folder, on a free loopback port; with `tls` it also counts requests.
 * @param {string} directory
 * @param {{ key: string, cert: string }} [tls] paths of PEM files
 */
export async function startRegistry(directory, tls) {
  const port = await findPort()
  const storage = join(directory, 'registry')
  mkdirSync(storage, { recursive: true })
  const config = join(directory, 'registry.yml')
  writeFileSync(
    config,
    `version: 0.1
log: {level: error, accesslog: {disabled: ${tls === undefined}}}
storage: {filesystem: {rootdirectory: ${JSON.stringify(storage)}}, delete: {enabled: true}, cache: {blobdescriptor: inmemory}}
http: {addr: "127.0.0.1:${port}"${tls === undefined ? '' : `, tls: {certificate: ${JSON.stringify(tls.cert)}, key: ${JSON.stringify(tls.key)}}`}}
`,
  )
  const child = spawn('docker-registry', ['serve', config], {
    stdio: ['ignore', tls === undefined ? 'ignore' : 'pipe', 'ignore'],
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
  })
  const failed = new Promise((_, reject) => child.once('error', reject))
  failed.catch(() => {})
  let requests = 0
  // One line for each request.
  child.stdout?.on(
    'data',
    (chunk) => (requests += chunk.toString().match(/"[A-Z]+ \/v2\//g)?.length ?? 0),
  )
  const host = `127.0.0.1:${port}`
  for (let attempt = 0; attempt < 100; attempt++) {
    const isUp = await Promise.race([accepts(port), failed])
    if (isUp)
      return {
        host,
        port,
        pid: child.pid,
        /** Requests since the last call. */
        takeRequests() {
          const count = requests
          requests = 0
          return count
        },
        stop: () => child.kill(),
      }
    await sleep(100)
  }
  child.kill()
  throw new Error('docker-registry did not answer within 10 s')
}
