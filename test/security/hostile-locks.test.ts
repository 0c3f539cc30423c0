import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { SpindleError } from '../../src/errors.ts'
import { formatLockedApp } from '../../src/spin/lock/format-locked-app.ts'
import { parseLockedApp } from '../../src/spin/lock/parse-locked-app.ts'
import { unpackApp } from '../../src/spin/artifact/unpack.ts'
import { buildArtifact, createArtifact, type Form } from '../fixtures/artifact.ts'

// A lock names files and components so that writing them out would leave the target folder, or
// holds keys that change how objects behave.

async function open(form: Form): ReturnType<typeof unpackApp> {
  const store = createArtifact()
  return unpackApp(await buildArtifact(store, form), store)
}

const digest = `sha256:${'0'.repeat(64)}`
const componentOf = (id: unknown): object => ({
  id,
  source: { content_type: 'application/wasm', digest },
})

describe('the path of a file is refused', () => {
  test.each([
    '../evil',
    'a/../../evil',
    '..\\evil',
    'a\\..\\..\\evil',
    '//etc/passwd',
    '/../etc',
    'C:\\evil',
    '/C:/evil',
    '\\\\host\\share',
    'a\0b',
    'a\nb',
    '',
    '/',
    '.',
    '\ud800',
  ])('%j', async (path) => {
    await expect(open({ files: [{ path, text: 'x' }] })).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })

  test('or leads nowhere else, whatever it is', async () => {
    const part = fc.oneof(
      fc.constantFrom('..', '.', '', 'a', '\\', '/', 'C:', '\0', '~'),
      fc.string({ maxLength: 3 }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 6 }),
        fc.constantFrom('/', '\\', ''),
        async (parts, separator) => {
          let paths: string[]
          try {
            const app = await open({ files: [{ path: parts.join(separator), text: 'x' }] })
            paths = [...(await app.files('web')).keys()]
          } catch (error) {
            expect(error).toBeInstanceOf(SpindleError)
            return
          }
          for (const path of paths) {
            expect(path).not.toMatch(/^\/|\\|^[A-Za-z]:|\p{Cc}/u)
            expect(
              path
                .split('/')
                .some((segment) => segment === '..' || segment === '.' || segment === ''),
            ).toBe(false)
          }
        },
      ),
    )
  })
})

describe('the id of a component is refused', () => {
  test.each(['../x', '..', '.', '', 'a/b', 'a\\b', 'a\nb', '/', 7, null, 'x'.repeat(300)])(
    '%j',
    async (id) => {
      await expect(open({ lock: { components: [componentOf(id)] } })).rejects.toMatchObject({
        code: 'ERR_CONTENT_INVALID',
      })
    },
  )

  test('when it is taken', async () => {
    await expect(
      open({ lock: { components: [componentOf('a'), componentOf('a')] } }),
    ).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
  })
})

describe('prototype keys', () => {
  const text = `{"spin_lock_version":0,"__proto__":{"polluted":1},"constructor":1,"metadata":{"__proto__":{"a":1},"name":"x"},"triggers":[],"components":[{"id":"__proto__x","source":{"content_type":"w","digest":"${digest}","__proto__":{"inline":"QQ"}},"env":{"__proto__":"e","constructor":"c"}}]}`

  test('are data, and stay it', () => {
    const locked = parseLockedApp(encodeUtf8(text))
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(locked.components[0]?.source.inline).toBeUndefined()
    const again = new TextDecoder().decode(formatLockedApp(locked))
    expect(again).toContain('"env":{"__proto__":"e","constructor":"c"}')
    expect(new TextDecoder().decode(formatLockedApp(parseLockedApp(encodeUtf8(again))))).toBe(again)
  })

  test('are components that are not there', async () => {
    const app = await open({})
    for (const id of ['__proto__', 'constructor', 'toString'])
      await expect(app.component(id)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  })
})

test('a lock nested too deep is refused, not a stack overflow', () => {
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
  expect(() =>
    parseLockedApp(
      encodeUtf8(`{"spin_lock_version":0,"metadata":{"x":${deep}},"triggers":[],"components":[]}`),
    ),
  ).toThrow(SpindleError)
})

test('any JSON is a lock or a coded error', () => {
  const json = fc.json({ maxDepth: 4 })
  fc.assert(
    fc.property(json, json, json, (a, b, c) => {
      for (const text of [
        a,
        `{"spin_lock_version":0,"triggers":[${a}],"components":[${b}]}`,
        `{"spin_lock_version":1,"triggers":[],"components":[{"id":"a","source":${a},"files":[${b}],"dependencies":${c}}]}`,
      ]) {
        try {
          formatLockedApp(parseLockedApp(encodeUtf8(text)))
        } catch (error) {
          expect(error).toBeInstanceOf(SpindleError)
        }
      }
    }),
  )
})
