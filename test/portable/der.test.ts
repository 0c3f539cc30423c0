import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  derMembers,
  derIntegerBytes,
  derOid,
  derSmallInteger,
  derTime,
  DER_GENERALIZED_TIME,
  DER_OCTET_STRING,
  DER_SEQUENCE,
  DER_UTC_TIME,
  formatDer,
  formatDerInteger,
  formatDerOid,
  MAX_DER_BYTES,
  parseDer,
} from '../../src/bytes/der.ts'
import { parseHex } from '../../src/bytes/hex.ts'
import { formatPem, parsePem } from '../../src/bytes/pem.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { SpindleError } from '../../src/errors.ts'
import { parseCertificate } from '../../src/trust/x509/certificate.ts'
import { formatEcdsaSignature, parseEcdsaSignature } from '../../src/trust/keys/ecdsa.ts'
import { parsePublicKey } from '../../src/trust/keys/public-key.ts'

const hex = (text: string): Uint8Array => parseHex(text.replaceAll(' ', ''))!

describe('DER', () => {
  it('gives back what it wrote, at every length form', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (a, b) => {
        const der = formatDer(
          DER_SEQUENCE,
          formatDer(DER_OCTET_STRING, a),
          formatDer(DER_OCTET_STRING, b),
        )
        const children = derMembers(der)
        expect(children.map(({ value }) => value)).toEqual([a, b])
      }),
    )
  })

  it.each([
    ['nothing', ''],
    ['a cut length', '30'],
    ['cut contents', '3003 0101'],
    ['bytes after the end', '3000 00'],
    ['the indefinite form', '3080 0000'],
    ['a long form that could be short', '30 81 01 00'],
    ['a padded long form', '30 82 0080'.padEnd(268, '0')],
    ['four bytes of length', '30 84 00000000'],
    ['a two-byte tag', '3f 8101 00'],
    ['end-of-contents', '00 00'],
  ])('refuses %s', (_, text) => {
    expect(() => parseDer(hex(text))).toThrow(SpindleError)
  })

  it('refuses what is longer than its bound', () => {
    expect(() => parseDer(new Uint8Array(MAX_DER_BYTES + 1))).toThrow(/longer than 65536/)
  })

  it('reads one element or rejects with a code, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          expect(parseDer(bytes).raw).toEqual(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(SpindleError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('writes integers in their shortest form and reads no other', () => {
    fc.assert(
      fc.property(fc.nat(0x7fffffff), (value) => {
        const bytes = hex(value.toString(16).padStart(8, '0'))
        expect(derSmallInteger(parseDer(formatDerInteger(bytes)))).toBe(value)
      }),
    )
    for (const text of ['02 00', '02 02 0001', '02 02 ff80'])
      expect(() => derIntegerBytes(parseDer(hex(text)))).toThrow(SpindleError)
    expect(() => derSmallInteger(parseDer(hex('02 01 80')))).toThrow(SpindleError)
  })

  it.each(['1.2.840.10045.2.1', '2.5.29.15', '0.9.2342', '2.999.1', '1.3.6.1.4.1.57264.1.24'])(
    'reads and writes %s',
    (dotted) => {
      expect(derOid(parseDer(formatDerOid(dotted)))).toBe(dotted)
    },
  )

  it.each(['06 00', '06 02 8001', '06 02 2a86'])('refuses the object identifier %s', (text) => {
    expect(() => derOid(parseDer(hex(text)))).toThrow(SpindleError)
  })

  it('reads both kinds of time', () => {
    const time = (tag: number, text: string): number =>
      derTime(parseDer(formatDer(tag, encodeUtf8(text))))
    expect(time(DER_UTC_TIME, '491231235959Z')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59))
    expect(time(DER_UTC_TIME, '500101000000Z')).toBe(Date.UTC(1950, 0, 1))
    expect(time(DER_GENERALIZED_TIME, '20250612120220.5Z')).toBe(
      Date.UTC(2025, 5, 12, 12, 2, 20, 500),
    )
    for (const text of [
      '20250230000000Z',
      '20251301000000Z',
      '20250101240000Z',
      '20250101000060Z',
      '20250101000000',
      '20250101000000+0100',
    ]) {
      expect(() => time(DER_GENERALIZED_TIME, text), text).toThrow(SpindleError)
    }
  })
})

describe('PEM', () => {
  it('gives back any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        expect(parsePem(`noise\r\n${formatPem('PUBLIC KEY', bytes)}noise`, 'it')).toEqual([
          { label: 'PUBLIC KEY', bytes },
        ])
      }),
    )
  })

  it.each([
    '',
    'AAAA',
    '-----BEGIN A-----\nAA A\n-----END B-----',
    '-----BEGIN A-----\n*\n-----END A-----',
    '-----BEGIN A-----\n-----END A-----',
  ])('refuses %j', (text) => {
    expect(() => parsePem(text, 'it')).toThrow(SpindleError)
  })
})

describe('ECDSA signatures', () => {
  it.each([32, 48, 66])('go from r ‖ s to DER and back, %i bytes wide', (width) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2 * width, maxLength: 2 * width }), (p1363) => {
        p1363[width - 1] = 1
        p1363[2 * width - 1] = 1
        expect(parseEcdsaSignature(formatEcdsaSignature(p1363), width)).toEqual(p1363)
      }),
    )
  })

  it.each([
    ['bytes after the end', '3006 020101 020101 00'],
    ['a third integer', '3009 020101 020101 020101'],
    ['one integer', '3003 020101'],
    ['a negative r', '3006 0201ff 020101'],
    ['a zero s', '3006 020101 020100'],
    ['r longer than the curve', `3026 0221 01${'00'.repeat(32)} 020101`],
    ['a padded r', '3007 02020001 020101'],
    ['r ‖ s where DER belongs', '11'.repeat(64)],
  ])('refuse %s', (_, text) => {
    expect(() => parseEcdsaSignature(hex(text), 32)).toThrow(SpindleError)
  })
})

describe('parsers over DER', () => {
  it('reject with a code, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const der = formatDer(DER_SEQUENCE, bytes)
        for (const parse of [parseCertificate, parsePublicKey])
          expect(() => parse(der)).toThrow(SpindleError)
      }),
      { numRuns: 1000 },
    )
  })
})
