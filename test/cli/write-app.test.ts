import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { writeApp } from '../../src/cli/registry/write-app.ts'
import type { PulledApp } from '../../src/spin/artifact/pulled-app.ts'
import type { Content, Digest } from '../../src/types.ts'
import { createMachine } from '../node/machine.ts'

const DIGEST: Digest = `sha256:${'0'.repeat(64)}`
const contents = new Map<Digest, Content>([[DIGEST, new Blob([Uint8Array.of(1)])]])

/** An application whose reader let everything pass, as if its checks were gone. */
function hostileApp(ids: readonly string[], paths: readonly string[] = []): PulledApp {
  const files = paths.map((path) => ({ path, digest: DIGEST }))
  return {
    manifestBytes: Uint8Array.of(1),
    locked: { components: ids.map((id) => ({ id, source: { digest: DIGEST }, files })) },
  } as unknown as PulledApp
}

describe('an application that would write elsewhere', () => {
  it.each([
    ['component id', ['../evil'], []],
    ['component id', ['a/b'], []],
    ['component id', ['/etc/evil'], []],
    ['component id', ['a\\b'], []],
    ['component id', [''], []],
    ['component id', ['..'], []],
    ['file', ['main'], ['../../evil']],
    ['file', ['main'], ['/evil']],
    ['file', ['main'], ['a\\..\\b']],
    ['file', ['main'], ['nul\0byte']],
    ['second component of one name', ['main', 'main'], []],
  ])('is refused with nothing left behind: %s %j %j', async (_, ids, paths) => {
    const machine = createMachine()
    const before = readdirSync(machine.home, { recursive: true })
    const work = writeApp(hostileApp(ids, paths), contents, machine.path('out'), 'linux', {})
    await expect(work).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
    expect(readdirSync(machine.home, { recursive: true })).toEqual(before)
  })

  it.each(['con', 'a/NUL.txt', 'x:stream', 'dot.', 'space ', 'a?b'])(
    'is refused on Windows for %j',
    async (path) => {
      const machine = createMachine()
      const onWindows = writeApp(
        hostileApp(['main'], [path]),
        contents,
        machine.path('out'),
        'win32',
        {},
      )
      await expect(onWindows).rejects.toThrow('on Windows')
      await expect(
        writeApp(hostileApp(['main'], [path]), contents, machine.path('out'), 'linux', {}),
      ).resolves.toMatchObject({ files: 4 })
    },
  )

  it('writes through no link that stands where the folder shall be', async () => {
    const machine = createMachine()
    machine.write('target/mine.txt', 'mine')
    const { symlinkSync } = await import('node:fs')
    symlinkSync(machine.path('target'), machine.path('out'))
    await expect(
      writeApp(hostileApp(['main']), contents, machine.path('out'), 'linux', {}),
    ).rejects.toThrow('not empty')
    expect(readdirSync(machine.path('target'))).toEqual(['mine.txt'])
  })
})

it('an abort leaves nothing behind', async () => {
  const machine = createMachine()
  const stop = new AbortController()
  const stopping: Content = {
    size: 1,
    stream: () => {
      stop.abort(new Error('enough'))
      return new Blob([Uint8Array.of(1)]).stream()
    },
  }
  const app = hostileApp(['main'], ['a', 'b'])
  await expect(
    writeApp(app, new Map([[DIGEST, stopping]]), machine.path('out'), 'linux', {
      signal: stop.signal,
    }),
  ).rejects.toThrow('enough')
  expect(existsSync(machine.path('out'))).toBe(false)
  expect(readdirSync(machine.home)).toEqual(['bin'])
})
