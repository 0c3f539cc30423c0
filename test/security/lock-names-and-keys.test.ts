import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { SpindleError } from '../../src/errors.ts'
import { formatLockedApp } from '../../src/spin/lock/format-locked-app.ts'
import { parseLockedApp } from '../../src/spin/lock/parse-locked-app.ts'

// A lock comes from a registry: its ids become folders, its paths files, its keys those of objects.

const DIGEST = `sha256:${'0'.repeat(64)}`
const SOURCE = `{"content_type":"application/wasm","digest":"${DIGEST}"}`
const parse = (text: string) => parseLockedApp(encodeUtf8(text))
const withComponent = (members: string) =>
  `{"spin_lock_version":0,"triggers":[],"components":[{"id":"a","source":${SOURCE},${members}}]}`

describe('a hostile lock', () => {
  it.each([
    '',
    '.',
    '..',
    '../x',
    'a/b',
    '/a',
    'a\\b',
    'C:',
    'a:b',
    'a\u0000',
    'a\nb',
    'a.',
    'a ',
    'x'.repeat(256),
  ])('has no component with the id %j', (id) => {
    const text = `{"spin_lock_version":0,"triggers":[],"components":[{"id":${JSON.stringify(id)},"source":${SOURCE}}]}`
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'ERR_CONTENT_INVALID' }))
  })

  it.each([
    '',
    '/',
    '..',
    '../x',
    'a/../../b',
    '/../x',
    '//x/../..',
    'C:/x',
    'c:x',
    '\\..\\x',
    'a\u0000b',
    'a\nb',
    '/C:\\x',
    'x'.repeat(5000),
  ])('has no file at %j', (path) => {
    const text = withComponent(`"files":[{"digest":"${DIGEST}","path":${JSON.stringify(path)}}]`)
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'ERR_CONTENT_INVALID' }))
  })

  it('gives only paths that stay below their folder', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'./\\aC:') }), (path) => {
        let files
        try {
          files = parse(
            withComponent(`"files":[{"digest":"${DIGEST}","path":${JSON.stringify(path)}}]`),
          ).components[0]?.files
        } catch (error) {
          expect(error).toBeInstanceOf(SpindleError)
          return
        }
        const resolved = new URL(`file:///root/${encodeURI(files![0]!.path)}`).pathname
        expect(resolved.startsWith('/root/')).toBe(true)
        expect(files![0]!.path).not.toMatch(/^[a-zA-Z]:|\\|^\/|\/\//)
      }),
      { numRuns: 2000 },
    )
  })

  it('sets no prototype, wherever its keys say so', () => {
    const proto = '"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}'
    const locked =
      parse(`{"spin_lock_version":0,${proto},"metadata":{${proto}},"variables":{"__proto__":{"default":"x"}},
      "triggers":[{"id":"t","trigger_type":"http","trigger_config":{${proto},"a":{${proto}}},${proto}}],
      "components":[{"id":"a",${proto},"source":{"content_type":"w","digest":"${DIGEST}",${proto}},"env":{"__proto__":"x"},"config":{"__proto__":"y"}}]}`)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      expect([null, Object.prototype, Array.prototype]).toContain(Object.getPrototypeOf(value))
      Object.values(value).forEach(visit)
    }
    visit(locked)
    expect(Object.keys(locked.components[0]!.env!)).toEqual(['__proto__'])
    expect(parseLockedApp(formatLockedApp(locked))).toEqual(locked)
  })

  it('does not take what it inherits for what it has', () => {
    expect(() =>
      parse('{"__proto__":{"spin_lock_version":0,"triggers":[],"components":[]}}'),
    ).toThrow('spin_lock_version')
  })

  it('does not overflow the stack', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    expect(() =>
      parse(`{"spin_lock_version":0,"triggers":[],"components":[],"metadata":{"x":${deep}}}`),
    ).toThrow(SpindleError)
    expect(() => parse(deep)).toThrow(SpindleError)
  })

  it('is nothing but read or refused, whatever it is', () => {
    const sample = withComponent(
      `"files":[{"digest":"${DIGEST}","path":"a","inline":"QQ"}],"dependencies":{"a:b":{"source":${SOURCE},"export":null}}`,
    )
    fc.assert(
      fc.property(
        fc.nat(sample.length),
        fc.nat(8),
        fc.oneof(fc.json(), fc.string()),
        (at, length, put) => {
          try {
            parse(sample.slice(0, at) + put + sample.slice(at + length))
          } catch (error) {
            expect(error).toBeInstanceOf(SpindleError)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
