import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { createBindleClient } from '../../src/bindle/client.ts'
import { pushStandalone } from '../../src/bindle/push-standalone.ts'
import { digestOf } from '../../src/bytes/digest.ts'
import { listen } from '../../src/node/listen/listen.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { bindleOf, NO_RETRY } from '../bindle/small-bindle.ts'
import { buildProgram } from './built-program.ts'
import { createSession } from './session.ts'
import { REF, writeApp } from './small-app.ts'

// The real servers, in processes that the system lets write no file of more than a megabyte.
let folder: string
let program: string
beforeAll(async () => {
  const built = await buildProgram()
  folder = built.folder
  program = built.main
})

const LIMITED = 'ulimit -f 1000 && exec "$0" "$@"'

async function serve(...args: string[]): Promise<{ url: string; stderr: () => string }> {
  const child = spawn(
    'bash',
    ['-c', LIMITED, process.execPath, program, ...args, '--address', '127.0.0.1:0', '--json'],
    { env: { PATH: process.env['PATH'], HOME: folder }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = once(child, 'close')
  onTestFinished(async () => {
    child.kill('SIGINT')
    await ended
  })
  const [first] = (await Promise.race([
    once(child.stdout, 'data'),
    ended.then(() => {
      throw new Error(stderr)
    }),
  ])) as [Buffer]
  const { url } = JSON.parse(first.toString()) as { url: string }
  return { url, stderr: () => stderr }
}

/** A command with the same limit, to its end. */
async function run(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawn('bash', ['-c', LIMITED, process.execPath, program, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stderr }
}

const LARGE = new Uint8Array(3_000_000).fill(7)

it('a registry without room says so, keeps nothing of it, and goes on', async () => {
  const place = join(folder, 'registry')
  const { url, stderr } = await serve('serve', '--directory', place)
  const push = async (bytes: Uint8Array<ArrayBuffer>): Promise<Response> =>
    fetch(`${url}/v2/a/blobs/uploads/?digest=${await digestOf(bytes)}`, {
      method: 'POST',
      body: bytes,
    })
  const refused = await push(LARGE)
  expect([refused.status, await refused.text()]).toEqual([507, expect.stringContaining('is full')])
  expect(stderr()).toContain(`no room for it in ${place}`)
  expect(readdirSync(join(place, '.spindle', 'temporary'))).toEqual([])
  expect((await push(new Uint8Array([1]))).status).toBe(201)
})

it('a Bindle server without room says so, and keeps nothing of it', async () => {
  const place = join(folder, 'bindles')
  const args = ['bindle-server', '--unauthenticated', '--directory', place]
  const { url, stderr } = await serve(...args)
  const bindle = await bindleOf(['small', 'x'.repeat(3_000_000)])
  const push = (server: string): Promise<unknown> =>
    pushStandalone(createBindleClient(server, NO_RETRY), bindle)
  await expect(push(url)).rejects.toMatchObject({
    status: 507,
    code: 'ERR_LIMIT_EXCEEDED',
    message: expect.stringContaining('is full'),
  })
  expect(stderr()).toContain(`no room for it in ${place}`)
  expect(readdirSync(join(place, '.spindle', 'temporary'))).toEqual([])
})

it('a pull without room says what to do about it, and leaves nothing', async () => {
  const registry = createRegistryHandler()
  const session = createSession((request) => registry.fetch(request))
  const files = { 'static/large.bin': LARGE }
  expect(await session.run('registry', 'push', '-f', writeApp(session, files), REF)).toMatchObject({
    code: 0,
  })
  const { url, close } = await listen(registry, { host: '127.0.0.1', port: 0 })
  onTestFinished(close)
  for (const [flags, places] of [
    [['-o', 'pulled'], '--output or --oci-layout or --cache-dir'],
    [['--oci-layout', 'layout'], '--output or --oci-layout or --cache-dir'],
    [[], '--output or --oci-layout or --cache-dir'],
  ] as const) {
    const { code, stderr } = await run('registry', 'pull', `${url}/team/hello:1`, ...flags)
    expect(code).toBe(1)
    expect(stderr).toContain(
      `hint: free some space, or name a folder on another disk with ${places}`,
    )
    expect(stderr).not.toContain('--max-size')
  }
  expect(readdirSync(folder)).not.toContain('pulled')
})
