import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseDependencyName } from '../../src/spin/manifest/dependencies.ts'
import { isDependencyName } from '../../src/spin/manifest/dependency-name.ts'
import { requiresChaining } from '../../src/spin/source/lock-app.ts'
import { isServiceChainingHost, readAllowedHost } from '../../src/spin/manifest/outbound-hosts.ts'

// What locks and reads locks brings no reader of manifests along; its short checks say the same.

const pieces = (...texts: string[]): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...texts), { maxLength: 14 }).map((parts) => parts.join(''))

describe('the short check of a dependency name', () => {
  test.each([
    'a-b',
    'A-B2',
    'aB',
    'a-',
    'a_b',
    '2a',
    '',
    'a:b',
    'a:b/c',
    'a:b/c@1.2.3',
    'a:b@1.2',
    'a/b',
    'a@1.0.0',
    'a:b:c',
    'a:b@1.0.0-rc.1+x.01',
    'a:b@1.0.0-01',
    'a:b@1.0.0-0',
    'a:b@1.0.0-a..b',
    'a:b@01.0.0',
    'a:b@1.0.0-0a',
    'a:b@18446744073709551615.0.0',
  ])('agrees with the reader of manifests on %j', (text) => {
    expect(isDependencyName(text)).toBe(!('problem' in parseDependencyName(text)))
  })

  test('agrees with the reader of manifests on whatever comes', () => {
    fc.assert(
      fc.property(
        pieces(
          'a',
          'B',
          '0',
          '1',
          '01',
          '.',
          '-',
          '+',
          ':',
          '/',
          '@',
          '_',
          'ab',
          'a:b',
          '@1.0.0',
          ' ',
          '\n',
        ),
        (text) => isDependencyName(text) === !('problem' in parseDependencyName(text)),
      ),
      { numRuns: 5000 },
    )
  })
})

describe('the short check of service chaining', () => {
  test('agrees with the reader of hosts on every host that it lets pass', () => {
    fc.assert(
      fc.property(
        pieces(
          'http',
          'https',
          '*',
          '://',
          '.spin.internal',
          '*.',
          'a',
          'B-c',
          ':80',
          ':*',
          ':80..90',
          '/',
          '.',
          '{{ x }}',
          '{{x}}',
          ' ',
          'spin.internal',
          '://a.spin.internal',
          '.SPIN.internal',
          '[::1]',
          '1.2.3.4',
        ),
        (text) => {
          const host = readAllowedHost(text)
          const full = !('problem' in host) && isServiceChainingHost(host)
          if (!('problem' in host)) expect(requiresChaining(text), text).toBe(full)
        },
      ),
      { numRuns: 5000 },
    )
  })

  test.each([
    '{{ s }}://a.spin.internal',
    'http://{{ host }}',
    'http://{{ a }}.spin.internal',
    'http://a.spin.internal:{{ p }}',
  ])('takes %j, whose host nobody knows yet, for none', (text) =>
    expect(requiresChaining(text)).toBe(false),
  )
})
