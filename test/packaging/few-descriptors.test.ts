// A process that may have few files open at once: a container or a service with a low limit.
import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { manifest, notBuilt, root, subpaths } from './installed.ts'

/** Node itself takes some twenty. */
const OPEN_FILES = 64
/** Each a blob of its own, as each is longer than what a lock holds inline. */
const ASSETS = 200
/** More transfers at once than there are descriptors. */
const CONCURRENCY = '100'

const MANIFEST = `spin_manifest_version = 2
[application]
name = "many"
version = "1.0.0"
[[trigger.http]]
route = "/..."
component = "web"
[component.web]
source = "web.wasm"
files = [{ source = "static", destination = "/" }]
`

/** A built command in a process that may have few open files. */
const limited = (program: string, ...args: string[]): [string, string[]] => [
  'sh',
  [
    ...['-c', `ulimit -n ${OPEN_FILES}; exec "$@"`, 'sh'],
    ...[process.execPath, join(root, program), ...args],
  ],
]

/**
 * The status of an answer, 0 where the connection was refused. Not by `fetch`: that of Node 20 forgets
 * some requests whose connection is reset.
 */
function statusOf(url: string): Promise<number> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false }, (response) => {
      response.resume().on('close', () => resolve(response.statusCode ?? 0))
    })
    request.on('error', () => resolve(0))
  })
}

describe.skipIf(notBuilt !== undefined || process.platform === 'win32')(
  `with ${OPEN_FILES} file descriptors`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'spindle-few-'))
    const env = {
      ...process.env,
      HOME: folder,
      XDG_CONFIG_HOME: folder,
      CI: 'true',
      COSIGN_PASSWORD: '',
    }
    const started: ReturnType<typeof spawn>[] = []
    afterAll(() => {
      for (const child of started) child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    })
    const spindle = manifest.bin?.['spindle'] ?? ''
    const run = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)(...limited(spindle, ...args), { env, cwd: folder })).stdout

    /** Starts a command that serves, and gives the address that it says. */
    const serve = async (...args: string[]): Promise<string> => {
      const child = spawn(...limited(spindle, ...args), {
        env,
        cwd: folder,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      started.push(child)
      let said = ''
      for await (const chunk of child.stdout!) {
        said += String(chunk)
        const url = /"url": "(http:[^"]+)"/.exec(said)?.[1]
        if (url !== undefined) return url
      }
      throw new Error(`it does not serve: ${said}`)
    }

    it.each(Object.entries(manifest.bin ?? {}))('%s starts', async (_, program) => {
      const { stdout } = await promisify(execFile)(...limited(program, '--version'))
      expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    })

    it.each(subpaths)('%s is imported', async (subpath) => {
      const code = `await import(${JSON.stringify(join('spindle', subpath))})`
      const node = [process.execPath, '--input-type=module', '-e', code]
      const shell = ['-c', `ulimit -n ${OPEN_FILES}; exec "$@"`, 'sh']
      const { stderr } = await promisify(execFile)('sh', [...shell, ...node], { cwd: root })
      expect(stderr).toBe('')
    })

    it('an application of many files goes to a registry and comes back, signed and verified', async () => {
      const app = join(folder, 'app')
      mkdirSync(join(app, 'static'), { recursive: true })
      writeFileSync(join(app, 'spin.toml'), MANIFEST)
      writeFileSync(join(app, 'web.wasm'), Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))
      for (let index = 0; index < ASSETS; index++)
        writeFileSync(join(app, 'static', `${index}.txt`), `asset ${index}\n`.repeat(100))
      const url = await serve(
        'serve',
        '--address',
        '127.0.0.1:0',
        '--directory',
        'registry',
        '--json',
      )
      const ref = `${new URL(url).host}/team/many:1`
      const many = ['--concurrency', CONCURRENCY]
      const pushed = await run('registry', 'push', '-f', app, ref, '--json', ...many)
      expect(JSON.parse(pushed)).toMatchObject({ sent: ASSETS + 3 })
      await run('generate-key-pair')
      await run('sign', '--key', 'cosign.key', '--tlog-upload=false', '-y', ref)
      await run('verify', '--key', 'cosign.pub', '--insecure-ignore-tlog', ref)
      const pulled = await run(
        'registry',
        'pull',
        ref,
        '-o',
        'out',
        '--cache-dir',
        'cache',
        '--json',
        ...many,
      )
      expect(JSON.parse(pulled)).toMatchObject({ files: ASSETS + 3 })
      await run('registry', 'pull', ref, '--oci-layout', 'layout', '--cache-dir', 'cache', ...many)
    }, 120_000)

    it('an application runs and answers more clients than there are descriptors', async () => {
      const app = join(root, 'examples', 'hello')
      const url = await serve(
        'up',
        '-f',
        app,
        '--listen',
        '127.0.0.1:0',
        '--state-dir',
        '',
        '--json',
        '--quiet',
      )
      const answers = await Promise.all(
        Array.from({ length: 100 }, () => statusOf(`${url}/hello/you`)),
      )
      expect(answers.filter((status) => status === 200).length).toBeGreaterThanOrEqual(8)
      expect(await statusOf(`${url}/hello/you`)).toBe(200)
    }, 60_000)
  },
)
