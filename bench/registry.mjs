import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
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

/** docker-registry over a folder, on a free loopback port. */
export async function startRegistry(directory) {
  const port = await findPort()
  const storage = join(directory, 'registry')
  mkdirSync(storage, { recursive: true })
  const config = join(directory, 'registry.yml')
  writeFileSync(
    config,
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${JSON.stringify(storage)}}, delete: {enabled: true}, cache: {blobdescriptor: inmemory}}
http: {addr: "127.0.0.1:${port}"}
`,
  )
  const child = spawn('docker-registry', ['serve', config], {
    stdio: 'ignore',
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
  })
  const failed = new Promise((_, reject) => child.once('error', reject))
  failed.catch(() => {})
  const host = `127.0.0.1:${port}`
  for (let attempt = 0; attempt < 100; attempt++) {
    const answer = await Promise.race([fetch(`http://${host}/v2/`).catch(() => undefined), failed])
    if (answer?.ok) return { host, pid: child.pid, stop: () => child.kill() }
    await sleep(100)
  }
  child.kill()
  throw new Error('docker-registry did not answer within 10 s')
}
