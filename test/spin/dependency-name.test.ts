import { describe, expect, test } from 'vitest'
import { dependencyNameProblem } from '../../src/spin/manifest/dependencies.ts'
import { isServiceChainingHost, readAllowedHost } from '../../src/spin/manifest/outbound-hosts.ts'

// Manifests and locks are read by the same two parsers.

describe('the name of a dependency', () => {
  test.each(['a-b', 'A-B2', 'a:b', 'a:b/c', 'a:b/c@1.2.3', 'a:b@1.0.0-rc.1+x.01', 'a:b@1.0.0-0'])(
    'may be %j',
    (text) => expect(dependencyNameProblem(text)).toBeUndefined(),
  )

  test.each([
    'aB',
    'a-',
    'a_b',
    '2a',
    '',
    'a:b@1.2',
    'a/b',
    'a@1.0.0',
    'a:b:c',
    'a:b@1.0.0-01',
    'a:b@1.0.0-a..b',
    'a:b@01.0.0',
  ])('may not be %j', (text) => expect(dependencyNameProblem(text)).toBeTypeOf('string'))
})

describe('service chaining', () => {
  const isChained = (text: string): boolean => {
    const host = readAllowedHost(text)
    return !('problem' in host) && isServiceChainingHost(host)
  }

  test.each(['http://*.spin.internal', 'http://a.spin.internal', 'https://a.SPIN.internal:80/'])(
    'is needed for %j',
    (text) => expect(isChained(text)).toBe(true),
  )

  test.each([
    'http://spin.internal',
    'http://[::1]',
    '{{ s }}://a.spin.internal',
    'http://{{ host }}',
    'http://{{ a }}.spin.internal',
    'http://a.spin.internal:{{ p }}',
  ])('is not needed for %j', (text) => expect(isChained(text)).toBe(false))
})
