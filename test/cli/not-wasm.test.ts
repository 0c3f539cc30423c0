import { expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import type { FetchLike } from '../../src/types.ts'
import { push } from '../../src/verbs/push.ts'
import { manifestOf } from '../fixtures/manifest.ts'
import { createSession } from './session.ts'
import { createRegistry, REF } from './small-app.ts'

const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d'.repeat(32)}\nsize 12345\n`
const CUT = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 9, 0)
const GOOD = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

/** A session that counts what is asked of the network. */
function counting(answer: FetchLike = createRegistry().fetch) {
  let asked = 0
  const session = createSession((request) => (asked++, answer(request)))
  return { session, asked: () => asked }
}

const bad: [string, string | Uint8Array, string][] = [
  ['a Git LFS pointer', POINTER, 'is a Git LFS pointer'],
  ['an empty file', '', 'is empty'],
  ['a file that is cut off', CUT, 'is cut off'],
  ['a web page', '<!doctype html>', 'is a web page'],
]

it.each(bad)('%s as a source is refused before anything is sent', async (_, content, reason) => {
  const { session, asked } = counting()
  session.write('app/spin.toml', manifestOf({ name: 'bad', source: 'app.wasm' }))
  session.write('app/app.wasm', content)
  const app = session.path('app')
  for (const args of [
    ['registry', 'push', '-f', app, REF],
    ['bindle', 'push', '-f', app, '--bindle-server', 'https://bindle.test/v1'],
    ['bindle', 'prepare', '-f', app, '-d', session.path('out')],
    ['build-worker', app],
    ['up', '-f', app],
    ['up', '-f', `${app}/app.wasm`],
  ]) {
    const { code, stderr } = await session.run(...args)
    expect({ code, stderr }).toMatchObject({ code: 1 })
    expect(stderr).toContain(`its source "app.wasm" ${reason}`)
  }
  expect(asked()).toBe(0)
})

it.each(bad)('%s as a dependency is refused too', async (_, content, reason) => {
  const { session, asked } = counting()
  const more = '[component.main.dependencies]\n"a:b/c" = { path = "dep.wasm" }'
  session.write('app/spin.toml', manifestOf({ name: 'bad', source: 'app.wasm', more }))
  session.write('app/app.wasm', GOOD)
  session.write('app/dep.wasm', content)
  const push = ['registry', 'push', '-f', session.path('app'), '--compose=false', REF]
  const { stderr } = await session.run(...push)
  expect(stderr).toContain(`component "main": its dependency "a:b/c" ${reason}`)
  expect(asked()).toBe(0)
})

it('what a URL answers in place of Wasm is named, also under the digest of the manifest', async () => {
  const page = new TextEncoder().encode('<!doctype html>log in')
  const url = 'https://files.test/app.wasm'
  for (const [digest, code, reason] of [
    [await digestOf(page), 'ERR_APP_INVALID', 'its source is a web page'],
    [await digestOf(GOOD), 'ERR_DIGEST_MISMATCH', 'what came is a web page'],
  ] as const) {
    const { session, asked } = counting(async () => new Response(page))
    const source = `{ url = "${url}", digest = "${digest}" }`
    session.write('app/spin.toml', manifestOf({ name: 'bad', source }))
    const { stderr } = await session.run('registry', 'push', '-f', session.path('app'), REF)
    expect(stderr).toContain(reason)
    expect(stderr).toContain(code)
    expect(asked()).toBe(1)
  }
})

it('the library refuses to push it, with the place', async () => {
  const app = await loadApp({
    'spin.toml': manifestOf({ name: 'bad', source: 'app.wasm' }),
    'app.wasm': POINTER,
  })
  const fetch = async (): Promise<Response> => {
    throw new Error('asked')
  }
  await expect(push(app, REF, { fetch })).rejects.toMatchObject({
    code: 'ERR_APP_INVALID',
    findings: [{ code: 'not-wasm', path: 'spin.toml' }],
  })
})
