import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'

const BINARY = ['/usr/bin/docker-registry', '/usr/local/bin/docker-registry'].find((path) =>
  existsSync(path),
)

/** Why the tests against a real registry are left out; `undefined` when they run. */
export const missingRegistry: string | undefined =
  BINARY === undefined ? 'docker-registry is not installed (Debian: docker-registry)' : undefined

export interface RegistryProcess {
  /** Host and port. */
  readonly host: string
  stop(): Promise<void>
}

/** Starts docker-registry on a free loopback port, with its data in a folder of its own. */
export async function startRegistry(
  options: {
    readonly htpasswd?: string
    /** A block of settings that begins with `http:`. */
    readonly http?: string
  } = {},
): Promise<RegistryProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'spindle-registry-'))
  const port = await freePort()
  const auth: string[] = []
  if (options.htpasswd !== undefined) {
    await writeFile(join(folder, 'htpasswd'), options.htpasswd)
    auth.push(`auth: {htpasswd: {realm: test, path: '${join(folder, 'htpasswd')}'}}`)
  }
  const config = [
    'version: 0.1',
    'log: {level: error}',
    `storage: {filesystem: {rootdirectory: '${folder}'}, delete: {enabled: true}, cache: {blobdescriptor: inmemory}}`,
    (options.http ?? 'http:\n').replace('http:\n', `http:\n  addr: '127.0.0.1:${port}'\n`),
    ...auth,
  ]
  await writeFile(join(folder, 'config.yml'), config.join('\n'))
  const child = spawn(BINARY!, ['serve', join(folder, 'config.yml')], {
    stdio: 'ignore',
    env: { PATH: '/usr/bin:/bin', OTEL_TRACES_EXPORTER: 'none' },
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const host = `127.0.0.1:${port}`
  for (let tries = 0; !(await answers(host)); tries++) {
    if (tries >= 100 || child.exitCode !== null) {
      child.kill('SIGKILL')
      throw new Error('docker-registry did not start')
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return {
    host,
    async stop() {
      child.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function answers(host: string): Promise<boolean> {
  try {
    await fetch(`http://${host}/v2/`)
    return true
  } catch {
    return false
  }
}
