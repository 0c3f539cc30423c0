import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareVersions, parseRange, parseVersion } from '../../src/bindle/semver.ts'

const inRange = (version: string, range: string): boolean =>
  parseRange(range)?.(parseVersion(version)!) ?? false

describe('version ranges, as recorded on the reference server', () => {
  it.each([
    ['1.9.0', '1.2', true],
    ['1.2.3', '1.x', true],
    ['1.2.3', '>=1.2.0, <2.0.0', true],
    ['1.2.3', '>=1.2.0 <2.0.0', false],
    ['1.2.3', '1.2.3 - 1.5.6', false],
    ['1.2.3-rc.1', '^1.0.0', false],
    ['1.2.3-rc.1', '^1.2.3-rc.0', true],
    ['1.2.3-rc.1', '*', false],
    ['1.2.3+b1', '1.2.3', false],
    ['1.2.3+b1', '=1.2.3', true],
    ['1.2.3+b1', '^1.2.3', true],
    ['0.3.0', '^0.2.3', false],
    ['0.0.4', '^0.0.3', false],
    ['1.2.9', '~1.2.3', true],
    ['1.9.0', '~1', true],
    ['1.2.3', '>1', false],
    ['2.0.0', '>1', true],
    ['1.2.3', '<=1.2', true],
    ['1.2.3', 'v1.2.3', false],
    ['7.8.9-x', '', true],
    ['1.2.3', '1.2.*', true],
    ['1.3.0', '1.2.*', false],
  ])('%s is in %j: %s', (version, range, expected) => {
    expect(inRange(version, range)).toBe(expected)
  })
})

describe('versions', () => {
  it.each([
    '1.0',
    'v1.0.0',
    '01.0.0',
    '1.0.0 ',
    '1.0.0-',
    '1.0.0+',
    '1.0.0-01',
    '1.0.0-a..b',
    '18446744073709551616.0.0',
    '',
  ])('refuses %j', (text) => {
    expect(parseVersion(text)).toBeUndefined()
  })
  it('accepts the largest number a server can hold', () => {
    expect(parseVersion('18446744073709551615.0.0-0.a+01.b-c')).toBeDefined()
  })
  it('orders as the specification does', () => {
    const ordered = [
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.2.0',
      '1.10.0',
    ]
    const shuffled = [...ordered]
      .reverse()
      .sort((a, b) => compareVersions(parseVersion(a)!, parseVersion(b)!))
    expect(shuffled).toEqual(ordered)
  })
  it('is met by itself as a range', () => {
    const part = fc.nat(30)
    fc.assert(
      fc.property(
        part,
        part,
        part,
        fc.constantFrom('', '-a.1', '-0'),
        fc.constantFrom('', '+b.2'),
        (a, b, c, pre, build) => {
          const text = `${a}.${b}.${c}${pre}${build}`
          expect(inRange(text, text)).toBe(true)
          expect(inRange(text, `=${a}.${b}.${c}${pre}`)).toBe(true)
          expect(inRange(text, `>=${a}.${b}.${c}${pre}`)).toBe(true)
          expect(inRange(text, `<${a}.${b}.${c}${pre}`)).toBe(false)
        },
      ),
    )
  })
})
