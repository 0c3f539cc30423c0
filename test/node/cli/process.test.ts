import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'

// The real program in a process of its own, from source: signals, pipes and exit codes.
const root = fileURLToPath(new URL('../../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'spindle-cli-'))
const program = join(folder, 'cli.mjs')

beforeAll(async () => {
  await build({
    entryPoints: [join(root, 'src/node/cli/main.ts')],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'error',
  })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"name":"spindle","version":"9.9.9"}')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function start(...args: string[]) {
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env['PATH'], HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return { child, stderr: () => stderr }
}

it('says its version, which is that of its package', async () => {
  const { child } = start('--version')
  const [text] = (await once(child.stdout, 'data')) as [Buffer]
  expect(text.toString()).toBe('9.9.9\n')
  expect(await once(child, 'close')).toEqual([0, null])
})

it('ends with 2 for wrong usage', async () => {
  const { child } = start('registry', 'push')
  expect(await once(child, 'close')).toEqual([2, null])
})

it('serves until Ctrl-C and ends with 0; a transfer ends with 130', async () => {
  const server = start('serve', '--address', '127.0.0.1:0')
  const [text] = (await once(server.child.stdout, 'data')) as [Buffer]
  const host = /http:\/\/(\S+)/.exec(text.toString())?.[1] ?? ''
  expect((await fetch(`http://${host}/v2/`)).status).toBe(200)
  server.child.kill('SIGINT')
  expect(await once(server.child, 'close')).toEqual([0, null])

  // A registry that takes the call and never answers.
  const { createServer } = await import('node:http')
  const silent = createServer()
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const called = once(silent, 'request')
  const { child, stderr } = start(
    'registry',
    'tags',
    `127.0.0.1:${(silent.address() as { port: number }).port}/x`,
  )
  await called
  child.kill('SIGINT')
  expect(await once(child, 'close')).toEqual([130, null])
  expect(stderr()).toBe('stopped by SIGINT\n')
  silent.closeAllConnections()
  silent.close()
})

it('ends quietly when nobody reads on', async () => {
  const { child, stderr } = start('--help')
  child.stdout.destroy()
  await once(child, 'close')
  expect(stderr()).toBe('')
})
