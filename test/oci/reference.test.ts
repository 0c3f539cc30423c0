import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isReference, parseReference } from '../../src/oci/reference.ts'

const HEX = 'a'.repeat(64)
const hub = { defaultRegistry: 'docker.io', defaultTag: 'latest' }

describe('references', () => {
  it.each([
    ['ghcr.io/team/hello', 'ghcr.io/team/hello:latest'],
    ['ghcr.io/team/hello:1.0', 'ghcr.io/team/hello:1.0'],
    [`ghcr.io/team/hello@sha256:${HEX}`, `ghcr.io/team/hello@sha256:${HEX}`],
    [`ghcr.io/team/hello:1@sha256:${HEX}`, `ghcr.io/team/hello:1@sha256:${HEX}`],
    ['nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['team/app', 'docker.io/team/app:latest'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/app:x', 'localhost:5000/app:x'],
    ['[::1]:5000/app', '[::1]:5000/app:latest'],
    ['oci://GHCR.io/a__b/c-d.e:T', 'ghcr.io/a__b/c-d.e:T'],
  ])('%s is %s', (input, canonical) => {
    expect(String(parseReference(input, hub))).toBe(canonical)
  })

  it.each([
    '',
    'ghcr.io/',
    'ghcr.io/Team/hello',
    'ghcr.io/a..b',
    'ghcr.io/a/',
    'ghcr.io//a',
    'ghcr.io/a:',
    'ghcr.io/a:.x',
    `ghcr.io/a:${'x'.repeat(129)}`,
    'ghcr.io/a@sha256:abc',
    `ghcr.io/a@sha256:${HEX.toUpperCase()}`,
    'ghcr.io/a@md5:00',
    'user:pw@ghcr.io/a',
    'ghcr.io:99999/a',
    '-x.io/a',
    'a b.io/c',
    `ghcr.io/${'a'.repeat(250)}`,
    'ghcr.io/../a',
    'ghcr.io/a%2fb',
    'ghcr.io/a?b',
    'ghcr.io/a#b',
  ])('%j is refused with a coded error', (input) => {
    expect(() => parseReference(input, hub)).toThrow(
      expect.objectContaining({ code: 'ERR_REFERENCE_INVALID' }),
    )
  })

  it('without a default needs a registry', () => {
    expect(() => parseReference('team/app')).toThrow(
      expect.objectContaining({ code: 'ERR_REFERENCE_INVALID' }),
    )
    expect(parseReference('ghcr.io/team/app').tag).toBeUndefined()
  })

  it('are restored from their canonical form', () => {
    const word = fc.stringMatching(/^[a-z0-9]{1,8}$/)
    const name = fc
      .array(
        fc
          .tuple(word, fc.constantFrom('.', '_', '__', '-', '---'), word)
          .map((parts) => parts.join('')),
        { minLength: 1, maxLength: 4 },
      )
      .map((parts) => parts.join('/'))
    const host = fc.oneof(
      fc.domain(),
      fc.constantFrom('localhost', '127.0.0.1:5000', '[::1]:80', 'registry:5000'),
    )
    fc.assert(
      fc.property(
        host,
        name,
        fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/)),
        fc.boolean(),
        (registry, repository, tag, pinned) => {
          const text = `${registry}/${repository}${tag === null ? '' : `:${tag}`}${pinned ? `@sha256:${HEX}` : ''}`
          const reference = parseReference(text)
          expect(parseReference(String(reference))).toMatchObject({
            registry: reference.registry,
            repository: reference.repository,
          })
          expect(String(parseReference(String(reference)))).toBe(String(reference))
          expect(isReference(reference)).toBe(true)
        },
      ),
    )
  })

  it('fail only with a coded error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z.:/@-]{0,30}$/)), (input) => {
        try {
          parseReference(input, hub)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_REFERENCE_INVALID' })
        }
      }),
    )
  })
})
