import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { manifestOf } from '../fixtures/manifest.ts'
import { hello } from './hello.ts'
import { start } from './running.ts'
import { createSession, type Session } from './session.ts'
import { createRegistry, REF } from './small-app.ts'

const WASM = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

/** A cache folder that nothing can be written to, also by root: it is below a file. */
function block(session: Session): string {
  session.write('file', 'in the way')
  return session.path('file/cache')
}

const warnings = (stderr: string): string[] =>
  stderr.split('\n').filter((line) => line.startsWith('warning: cannot write to the cache '))

it('a pull goes on without a cache that can’t be written, and says so once', async () => {
  const session = createSession(createRegistry().fetch)
  await session.run('registry', 'push', '-f', hello, REF)
  const cache = block(session)
  for (const flags of [['-o', session.path('out')], ['--oci-layout', session.path('layout')], []]) {
    const pull = ['registry', 'pull', REF, '--cache-dir', cache, ...flags]
    const { code, stderr } = await session.run(...pull)
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(warnings(stderr)).toHaveLength(1)
    expect(stderr).toContain('--cache-dir')
  }
  expect(readFileSync(session.path('out/hello.wasm'))).toEqual(readFileSync(`${hello}/hello.wasm`))
})

it('up and build-worker do too', async () => {
  const session = createSession(createRegistry().fetch)
  await session.run('registry', 'push', '-f', hello, REF)
  const cache = block(session)
  const up = await start(session, 'up', '--from-registry', REF, '--cache-dir', cache)
  const { code, stderr } = await up.stop()
  expect({ code, warnings: warnings(stderr).length }).toEqual({ code: 0, warnings: 1 })
  const worker = ['build-worker', REF, '-o', session.path('worker'), '--cache-dir', cache]
  const built = await session.run(...worker)
  expect({ code: built.code, stderr: built.stderr }).toMatchObject({ code: 0 })
  expect(warnings(built.stderr)).toHaveLength(1)
})

it('a push downloads its components without it', async () => {
  const registry = createRegistry()
  const session = createSession(async (request) =>
    request.url.startsWith('https://files.test/') ? new Response(WASM) : registry.fetch(request),
  )
  const source = `{ url = "https://files.test/a.wasm", digest = "${await digestOf(WASM)}" }`
  session.write('app/spin.toml', manifestOf({ name: 'app', source }))
  const push = ['registry', 'push', '-f', session.path('app'), REF, '--cache-dir', block(session)]
  const { code, stderr } = await session.run(...push)
  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(warnings(stderr)).toHaveLength(1)
})

it('a folder that may not be written to is named with its reason', async () => {
  const session = createSession(createRegistry().fetch)
  await session.run('registry', 'push', '-f', hello, REF)
  const cache = session.path('closed')
  mkdirSync(cache)
  writeFileSync(session.path('closed/kept'), 'x')
  chmodSync(cache, 0o500)
  chmodSync(session.home, 0o755)
  // Root may write everywhere, so for a moment the process is nobody.
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(65534)
  try {
    const pull = ['registry', 'pull', REF, '--cache-dir', cache]
    const { code, stderr } = await session.run(...pull)
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(warnings(stderr)).toEqual([
      expect.stringContaining(`cannot write to the cache ${cache} (EACCES)`),
    ])
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
})
