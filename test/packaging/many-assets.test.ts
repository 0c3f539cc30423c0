import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { notBuilt, root } from './installed.ts'

/** Node itself takes some twenty; the reference client needs one for each asset it gets. */
const OPEN_FILES = 64
const ASSETS = 700

const MANIFEST = `spin_version = "1"
name = "many"
version = "1.0.0"
trigger = { type = "http" }
[[component]]
id = "web"
source = "web.wasm"
files = [{ source = "static", destination = "/" }]
[component.trigger]
route = "/..."
`

/** A program of the package, with few open files. */
const limited = (program: string, ...args: string[]): [string, string[]] => [
  'sh',
  [
    ...['-c', `ulimit -n ${OPEN_FILES}; exec "$@"`, 'sh'],
    ...[process.execPath, join(root, 'dist', program), ...args],
  ],
]

describe.skipIf(notBuilt !== undefined || process.platform === 'win32')(
  'an application with more assets than files may be open',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'spindle-many-'))
    const env = {
      ...process.env,
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, 'config'),
      CI: 'true',
    }
    let server: ReturnType<typeof spawn>
    let url = ''
    const run = async (...args: string[]): Promise<Record<string, unknown>> => {
      const { stdout } = await promisify(execFile)(...limited('cli.js', ...args, '--json'), {
        env: { ...env, BINDLE_URL: url },
      })
      return JSON.parse(stdout) as Record<string, unknown>
    }

    beforeAll(async () => {
      mkdirSync(join(folder, 'app', 'static'), { recursive: true })
      writeFileSync(join(folder, 'app', 'spin.toml'), MANIFEST)
      writeFileSync(join(folder, 'app', 'web.wasm'), Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))
      for (let index = 0; index < ASSETS; index++)
        writeFileSync(join(folder, 'app', 'static', `${index}.txt`), `asset ${index}`)
      const kept = ['--directory', join(folder, 'server'), '--unauthenticated', '--json']
      server = spawn(...limited('bindle-server.js', '--address', '127.0.0.1:0', ...kept), {
        env,
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      let said = ''
      for await (const chunk of server.stdout!) {
        said += String(chunk)
        if (said.trimEnd().endsWith('}')) break
      }
      url = (JSON.parse(said) as { url: string }).url
    })
    afterAll(() => {
      server.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    })

    it('goes to a Bindle server and comes back, every byte as it was', async () => {
      const pushed = await run('bindle', 'push', '--file', join(folder, 'app'))
      expect(pushed).toMatchObject({ id: 'many/1.0.0', sent: ASSETS + 2 })
      const out = join(folder, 'out')
      await run('bindle', 'pull', 'many/1.0.0', '--output', out)
      const names = readdirSync(join(folder, 'app', 'static')).sort()
      expect(readdirSync(join(out, 'assets', 'web')).sort()).toEqual(names)
      const different = names.filter(
        (name) =>
          !readFileSync(join(out, 'assets', 'web', name)).equals(
            readFileSync(join(folder, 'app', 'static', name)),
          ),
      )
      expect(different).toEqual([])
    }, 60_000)
  },
)
