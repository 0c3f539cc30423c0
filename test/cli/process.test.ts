import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { beforeAll, expect, it } from 'vitest'
import { buildProgram } from './built-program.ts'

// The real program in a process of its own: signals, pipes and exit codes.
let folder: string
let program: string
beforeAll(async () => {
  const built = await buildProgram()
  folder = built.folder
  program = built.main
})

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
