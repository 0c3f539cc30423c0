import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatBase64, formatBase64Unpadded, parseBase64 } from '../../src/bytes/base64.ts'
import { formatHex, parseHex } from '../../src/bytes/hex.ts'
import { formatCanonicalJson } from '../../src/bytes/json.ts'
import { decodeUtf8 } from '../../src/bytes/text.ts'

describe('base64', () => {
  it('gives back any bytes, padded or not', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(parseBase64(formatBase64(bytes))).toEqual(bytes)
        expect(parseBase64(formatBase64Unpadded(bytes))).toEqual(bytes)
      }),
    )
  })

  it.each(['A', 'QQ=', 'QR', 'QQ===', 'Q Q', 'Q-8', '=', 'QUJ='])('refuses %j', (text) => {
    expect(parseBase64(text)).toBeUndefined()
  })

  it('has one spelling for one byte string', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9+/]{0,12}$/), (text) => {
        const bytes = parseBase64(text)
        if (bytes !== undefined) expect(formatBase64Unpadded(bytes)).toBe(text)
      }),
    )
  })
})

describe('hex', () => {
  it('gives back any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(parseHex(formatHex(bytes))).toEqual(bytes)
      }),
    )
  })
  it.each(['0', 'zz', '0x00'])('refuses %j', (text) => expect(parseHex(text)).toBeUndefined())
})

describe('canonical JSON', () => {
  it('sorts keys at every depth, integer-like ones too, and leaves out undefined', () => {
    expect(decodeUtf8(formatCanonicalJson({ b: [{ z: 1, a: undefined }], 9: 1, 10: 2 }))).toBe(
      '{"10":2,"9":1,"b":[{"z":1}]}',
    )
  })
  it('is JSON of the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(decodeUtf8(formatCanonicalJson(value))!)).toEqual(
          JSON.parse(JSON.stringify(value)),
        )
      }),
    )
  })
})
