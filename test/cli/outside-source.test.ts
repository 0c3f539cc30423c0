import { readFileSync, symlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { pull } from '../../src/verbs/pull.ts'
import { manifestOf } from '../fixtures/manifest.ts'
import { createSession, type Session } from './session.ts'

const wasm = readFileSync(
  fileURLToPath(new URL('../../examples/hello/hello.wasm', import.meta.url)),
)
const REF = 'localhost:5000/team/outside:1'

function writeManifest(session: Session, source: string): string {
  return session.write('repo/apps/one/spin.toml', manifestOf({ name: 'outside', source }))
}

it.each(['../../target/out.wasm', '../one/./../../target/out.wasm'])(
  'push finds Wasm that the manifest names beside its folder: %s',
  async (source) => {
    const { fetch } = createRegistryHandler({ storage: createMemoryStorage() })
    const session = createSession(fetch)
    session.write('repo/target/out.wasm', wasm)
    const { code, stderr } = await session.run(
      'registry',
      'push',
      '-f',
      writeManifest(session, source),
      REF,
    )
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const app = await pull(REF, { fetch, insecure: ['localhost:5000'] })
    expect(Buffer.from(await app.component('main')).equals(wasm)).toBe(true)
  },
)

it('says that it is missing when it is', async () => {
  const session = createSession()
  const { code, stderr } = await session.run(
    'registry',
    'push',
    '-f',
    writeManifest(session, '../../target/out.wasm'),
    REF,
  )
  expect(code).toBe(1)
  expect(stderr).toContain('"../../target/out.wasm" does not exist')
})

it('carries no other file of the machine away', async () => {
  const session = createSession()
  session.write('repo/secret', 'PRIVATE')
  const { code, stderr } = await session.run(
    'registry',
    'push',
    '-f',
    writeManifest(session, '../../secret'),
    REF,
  )
  expect(code).toBe(1)
  expect(stderr).toContain('no WebAssembly')
})

it.each([
  ['a link', 'app.wasm', '../target/out.wasm', 'app.wasm'],
  ['a link to a folder', 'target', '../target', 'target/out.wasm'],
])('push follows %s of a source out of the folder, as Spin does', async (_, link, to, source) => {
  const { fetch } = createRegistryHandler({ storage: createMemoryStorage() })
  const session = createSession(fetch)
  session.write('repo/target/out.wasm', wasm)
  const app = session.write('repo/one/spin.toml', manifestOf({ name: 'outside', source }))
  symlinkSync(to, session.path(`repo/one/${link}`))
  const { code, stderr } = await session.run('registry', 'push', '-f', app, REF)
  expect({ code, stderr }).toMatchObject({ code: 0 })
  const pulled = await pull(REF, { fetch, insecure: ['localhost:5000'] })
  expect(Buffer.from(await pulled.component('main')).equals(wasm)).toBe(true)
})

it.each([
  ['a link out of the folder', 'files = ["leak"]', 'is a link that leads out'],
  ['a pattern over one', 'files = ["*"]', 'is a link that leads out'],
  ['a path that leads out', 'files = ["../secret"]', 'outside the application directory'],
  ['a folder beside it', 'files = [{ source = "../target", destination = "/" }]', 'outside the'],
  [
    'a link that only a source above makes an inside one',
    'files = ["near"]',
    'is a link that leads',
  ],
])('files are not taken by %s, wherever the source is', async (_, more, reason) => {
  const session = createSession()
  session.write('repo/target/out.wasm', wasm)
  session.write('repo/secret', 'PRIVATE')
  const manifest = manifestOf({ name: 'outside', source: '../target/out.wasm', more })
  const app = session.write('repo/one/spin.toml', manifest)
  symlinkSync('/etc/hostname', session.path('repo/one/leak'))
  symlinkSync('../secret', session.path('repo/one/near'))
  const { code, stderr } = await session.run('registry', 'push', '-f', app, REF)
  expect(code).toBe(1)
  expect(stderr).toContain(reason)
})

it('a link to what is no Wasm carries nothing away', async () => {
  const session = createSession()
  session.write('repo/secret', 'PRIVATE')
  const app = session.write('repo/one/spin.toml', manifestOf({ name: 'x', source: 'app.wasm' }))
  symlinkSync('../secret', session.path('repo/one/app.wasm'))
  const { code, stderr } = await session.run('registry', 'push', '-f', app, REF)
  expect(code).toBe(1)
  expect(stderr).toContain('no WebAssembly')
})
