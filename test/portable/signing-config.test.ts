import { describe, expect, it } from 'vitest'
import { parseSigningConfig } from '../../src/trust/keyless/signing-config.ts'
import type { Json } from './trust-fixture.ts'

const NOW = new Date('2026-08-01T00:00:00Z')
const service = (url: string, more: object = {}): object => ({
  url,
  majorApiVersion: 1,
  operator: 'a.test',
  validFor: { start: '2026-01-01T00:00:00Z' },
  ...more,
})
const past = { validFor: { start: '2025-01-01T00:00:00Z', end: '2026-01-01T00:00:00Z' } }
const config = (): Json => ({
  mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
  caUrls: [service('https://fulcio.test'), service('https://older.test', past)],
  oidcUrls: [service('https://oauth2.test/auth')],
  rekorTlogUrls: [
    service('https://rekor.test'),
    service('https://v2-older.test', {
      majorApiVersion: 2,
      validFor: { start: '2025-06-01T00:00:00Z' },
    }),
    service('https://v2.test', { majorApiVersion: 2 }),
    service('https://v3.test', { majorApiVersion: 3 }),
  ],
  rekorTlogConfig: { selector: 'ANY' },
  tsaUrls: [service('https://tsa.test/api/v1/timestamp')],
  tsaConfig: { selector: 'ANY' },
})

describe('a signing config', () => {
  it('names the newest services of the highest version that is known', () => {
    const services = {
      fulcio: 'https://fulcio.test',
      rekor: { url: 'https://v2.test', version: 2 },
      timestamp: 'https://tsa.test/api/v1/timestamp',
    }
    expect(parseSigningConfig(config(), { now: NOW })).toEqual(services)
    expect(parseSigningConfig(JSON.stringify(config()), { now: NOW })).toEqual(services)
  })

  it('may leave services out', () => {
    const { mediaType } = config()
    expect(parseSigningConfig({ mediaType }, { now: NOW })).toEqual({
      fulcio: false,
      rekor: false,
      timestamp: false,
    })
  })

  it.each<[string, (json: Json) => void, string]>([
    ['of another version', (json) => (json.mediaType = 'x'), 'ERR_UNSUPPORTED'],
    ['whose services are all of the past', (json) => json.caUrls.shift(), 'ERR_UNSUPPORTED'],
    [
      'that asks for two logs',
      (json) => (json.rekorTlogConfig = { selector: 'EXACT', count: 2 }),
      'ERR_UNSUPPORTED',
    ],
    [
      'that asks for the timestamps of all operators',
      (json) => {
        json.tsaUrls.push(service('https://other.test', { operator: 'b.test' }))
        json.tsaConfig = { selector: 'ALL' }
      },
      'ERR_UNSUPPORTED',
    ],
    ['without a start', (json) => delete json.caUrls[0].validFor.start, 'ERR_CONTENT_INVALID'],
    ['without an address', (json) => delete json.tsaUrls[0].url, 'ERR_CONTENT_INVALID'],
  ])('%s is refused', (_, spoil, code) => {
    const json = config()
    spoil(json)
    expect(() => parseSigningConfig(json, { now: NOW })).toThrow(expect.objectContaining({ code }))
  })
})
