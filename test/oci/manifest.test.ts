import { describe, expect, it } from 'vitest'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import {
  IMAGE_INDEX,
  IMAGE_MANIFEST,
  parseManifest,
  referrerDescriptor,
  successorsOf,
} from '../../src/oci/manifest.ts'

const blob = (letter: string, mediaType = 'application/octet-stream') => ({
  mediaType,
  digest: `sha256:${letter.repeat(64)}`,
  size: 1,
})
const image = { schemaVersion: 2, config: blob('a'), layers: [blob('b'), blob('b')] }
const bytes = (value: unknown) =>
  encodeUtf8(typeof value === 'string' ? value : JSON.stringify(value))

describe('manifests', () => {
  it('have the type of their delivery when they name none', () => {
    expect(parseManifest(bytes(image)).mediaType).toBe(IMAGE_MANIFEST)
    expect(parseManifest(bytes({ schemaVersion: 2, manifests: [] })).kind).toBe('index')
  })
  it('can list a layer twice', () => {
    expect(successorsOf(parseManifest(bytes(image)))).toHaveLength(3)
  })
  it('can contain raw control characters in strings, as Spin wrote them', () => {
    const text = JSON.stringify({ ...image, annotations: { note: 'one two' } }).replace(
      'one two',
      'one\ntwo',
    )
    expect(parseManifest(bytes(text)).annotations).toEqual({ note: 'one\ntwo' })
  })
  it('keep an annotation named __proto__', () => {
    const manifest = parseManifest(
      bytes(
        '{"schemaVersion":2,"config":' +
          JSON.stringify(blob('a')) +
          ',"layers":[],"annotations":{"__proto__":"x"}}',
      ),
    )
    expect(Object.keys(manifest.annotations!)).toEqual(['__proto__'])
    expect({}).not.toHaveProperty('x')
  })
  it.each([
    ['no object', '[]'],
    ['another schema', { ...image, schemaVersion: 1 }],
    ['a type that is no manifest', { ...image, mediaType: 'text/html' }],
    ['both kinds at once', { ...image, manifests: [] }],
    ['an index with layers', { ...image, mediaType: IMAGE_INDEX, manifests: [] }],
    ['a negative size', { ...image, config: { ...blob('a'), size: -1 } }],
    ['a digest of unknown kind', { ...image, config: { ...blob('a'), digest: 'md5:00' } }],
    [
      'a media type that would break a header',
      { ...image, config: { ...blob('a'), mediaType: 'a/b\r\nx: y' } },
    ],
    ['no JSON', '{'],
  ])('with %s are refused', (_, value) => {
    expect(() => parseManifest(bytes(value))).toThrow(
      expect.objectContaining({ code: 'ERR_CONTENT_INVALID' }),
    )
  })
  const SCHEMA_1 = 'application/vnd.docker.distribution.manifest.v1'
  const old = { schemaVersion: 1, name: 'team/hello', tag: '1', fsLayers: [], history: [] }
  it.each<[string, unknown, string | undefined]>([
    ['by its content', old, undefined],
    ['by its content, delivered as an OCI manifest', old, IMAGE_MANIFEST],
    ['by its content, with signatures', { ...old, signatures: [{}] }, 'application/json'],
    ['by its delivered type', old, `${SCHEMA_1}+json`],
    ['by its delivered type, signed', old, `${SCHEMA_1}+prettyjws`],
    ['by its own type', { ...image, mediaType: `${SCHEMA_1}+json` }, undefined],
    ['as which schema 2 is delivered', image, `${SCHEMA_1}+prettyjws`],
  ])('of schema 1 are refused by name: %s', (_, value, delivered) => {
    expect(() => parseManifest(bytes(value), delivered)).toThrow(
      expect.objectContaining({
        code: 'ERR_CONTENT_INVALID',
        message: expect.stringContaining('is a Docker schema 1 manifest'),
      }),
    )
  })
  it('are refused when delivered as another type than they name', () => {
    expect(() =>
      parseManifest(bytes({ ...image, mediaType: IMAGE_MANIFEST }), IMAGE_INDEX),
    ).toThrow(expect.objectContaining({ code: 'ERR_CONTENT_INVALID' }))
  })
  it('are listed as referrers by artifact type, else by their config', () => {
    const descriptor = {
      mediaType: IMAGE_MANIFEST,
      digest: `sha256:${'c'.repeat(64)}`,
      size: 9,
    } as const
    expect(
      referrerDescriptor(descriptor, parseManifest(bytes({ ...image, config: blob('a', 'x/y') })))
        .artifactType,
    ).toBe('x/y')
    expect(
      referrerDescriptor(descriptor, parseManifest(bytes({ ...image, artifactType: 'a/b' })))
        .artifactType,
    ).toBe('a/b')
  })
})
