import { describe, expect, it } from 'vitest'
import {
  assertPushableId,
  canonicalName,
  createBindleId,
  parseBindleId,
} from '../../src/bindle/id.ts'

describe('bindle ids', () => {
  it.each([
    'foo/1.0',
    'foo/v1.0.0',
    'foo/01.0.0',
    'foo/1.0.0 ',
    'foo/1.0.0-',
    'foo/1.0.0/',
    '1.0.0',
    'foo/',
    '/1.0.0',
    'foo/18446744073709551616.0.0',
    '',
  ])('refuses %j', (text) => {
    expect(() => parseBindleId(text)).toThrow(
      expect.objectContaining({ code: 'ERR_REFERENCE_INVALID' }),
    )
  })
  it.each([
    ['foo//1.0.0', 'foo/', '1.0.0'],
    ['//1.0.0', '/', '1.0.0'],
    ['foo/1.0.0+a.b-c', 'foo', '1.0.0+a.b-c'],
    ['bindle:example.com/a/1.2.3', 'example.com/a', '1.2.3'],
  ])('reads %j', (text, name, version) => {
    expect(parseBindleId(text)).toMatchObject({ name, version })
    expect(String(parseBindleId(text))).toBe(`${name}/${version}`)
  })
  it.each([
    [
      'enterprise.com/warpcore/1.0.0',
      '1927aefa8fdc8327499e918300e2e49ecb271321530cc5881fcd069ca8372dcd',
    ],
    ['mybindle/0.1.0', 'a040d0a42cfe306d5ff63acfb3caddd002f70926d169bfa1d3868be4dbe1332e'],
    [
      'spin-hello-world/1.0.0+q8e6334c',
      'a05ee5616a12e25c267447a5621a5936473748514968916717383feaeba24433',
    ],
    [
      'example.com/hello/1.2.3-rc.1+build.5',
      '17f69b2572e5beddcd66c0f8cbbdac7938701bc15049d86f59570a70daea03ce',
    ],
    ['käse/1.0.0', 'a9e99c7fd567c1e5f43f649b9df6230512eb6c332b02b16cff9f3d78aaea7a8f'],
  ])('%s has the canonical name that servers file it under', async (text, name) => {
    expect(await canonicalName(parseBindleId(text))).toBe(name)
  })
  it.each(['käse', 'a b', 'a@b', 'a?b', 'a#b', 'a%b', '..', 'a/./b', 'a//b', '/a', 'a/'])(
    'does not push the name %j, which no server could find again',
    (name) => {
      expect(() => assertPushableId(createBindleId(name, '1.0.0'))).toThrow(
        expect.objectContaining({ code: 'ERR_REFERENCE_INVALID' }),
      )
    },
  )
  it.each(['1.0', 'v1.0.0', '01.0.0', '1.0.0-', '1.0.0+a+b', 'latest'])(
    'reports the version %j as invalid, and gives no advice about the name',
    (version) => {
      for (const call of [
        () => assertPushableId(createBindleId('hello', version)),
        () => parseBindleId(`hello/${version}`),
      ]) {
        expect(call).toThrow(
          expect.objectContaining({
            code: 'ERR_REFERENCE_INVALID',
            message: expect.stringContaining(
              `its version ${JSON.stringify(version)} is not a semantic version`,
            ),
          }),
        )
        expect(call).not.toThrow(/ASCII letters/)
      }
    },
  )
  it('reports a version that is missing', () => {
    expect(() => assertPushableId(createBindleId('hello', ''))).toThrow(
      `"hello" can't be pushed: it has no version; write MAJOR.MINOR.PATCH`,
    )
  })
})
