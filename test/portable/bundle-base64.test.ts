// How a bundle may write its bytes: as Go's protojson reads them, and nothing else.
import { beforeAll, describe, expect, it } from 'vitest'
import { parseProtoBase64 } from '../../src/bytes/base64.ts'
import { formatHex } from '../../src/bytes/hex.ts'
import { verifyBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { type Json, type Keyless, signKeyless } from './trust-fixture.ts'

/** What `protojson.Unmarshal` of google.golang.org/protobuf 1.36.6 makes of a text; `undefined` for an error. */
const GO: readonly (readonly [string, string | undefined])[] = [
  ['', ''],
  ['-_8=', 'fbff'],
  ['+/8=', 'fbff'],
  ['-_8', 'fbff'],
  ['+/8', 'fbff'],
  ['-_-_', 'fbffbf'],
  ['AQID', '010203'],
  ['AQ\nID', '010203'],
  ['AQ\r\nID', '010203'],
  ['\n\nAQID\n\n', '010203'],
  ['A\nQ\nI\nD\n', '010203'],
  ['AQ\n\n\n\n==', '01'],
  ['AQ=\n=\n\n\n', '01'],
  // Padding counts by the length with the line breaks.
  ['AQ==\n', undefined],
  ['AQ==\n\n\n\n', '01'],
  ['AQ\n', '01'],
  ['AQ\n\n', undefined],
  ['AQI=\n', undefined],
  ['AQI\n', undefined],
  ['AQI\n\n', '0102'],
  ['-/8=', undefined],
  ['+_8=', undefined],
  ['-+', undefined],
  ['AQ=', undefined],
  ['AQ===', undefined],
  ['A', undefined],
  ['A===', undefined],
  ['=AQI', undefined],
  ['AQ==AQ==', undefined],
  ['AQ ID', undefined],
  ['AQ\tID', undefined],
  ['AQ\u2028ID', undefined],
  ['AQ%3D', undefined],
  ['AQID!', undefined],
  ['ÀQID', undefined],
]

/** What Go reads and we do not: bytes have one spelling of their last character. */
const SLOPPY = ['AR==', 'AR', '-_9=', 'AQJ=', 'A\nR', '-_-_AR']

describe('bytes of a bundle', () => {
  it.each(GO)('%j are read as Go reads them', (text, hex) => {
    const bytes = parseProtoBase64(text)
    expect(bytes && formatHex(bytes)).toBe(hex)
  })

  it.each(SLOPPY)('%j with bits that mean nothing are refused', (text) => {
    expect(parseProtoBase64(text)).toBeUndefined()
  })
})

let made: Keyless
beforeAll(async () => {
  made = await signKeyless()
})

/** Every member of a bundle that holds bytes. */
const PLACES: Readonly<Record<string, (bundle: Json) => readonly [Json, string]>> = {
  payload: (bundle) => [bundle.dsseEnvelope, 'payload'],
  signature: (bundle) => [bundle.dsseEnvelope.signatures[0], 'sig'],
  certificate: (bundle) => [bundle.verificationMaterial.certificate, 'rawBytes'],
  timestamp: (bundle) => [
    bundle.verificationMaterial.timestampVerificationData.rfc3161Timestamps[0],
    'signedTimestamp',
  ],
  'log entry': (bundle) => [bundle.verificationMaterial.tlogEntries[0], 'canonicalizedBody'],
  'log promise': (bundle) => [
    bundle.verificationMaterial.tlogEntries[0].inclusionPromise,
    'signedEntryTimestamp',
  ],
  'root hash': (bundle) => [bundle.verificationMaterial.tlogEntries[0].inclusionProof, 'rootHash'],
}

function spell(place: keyof typeof PLACES & string, how: (text: string) => string): Json {
  const bundle = made.bundle()
  const [holder, name] = PLACES[place]!(bundle)
  const before = holder[name]
  holder[name] = how(before)
  return bundle
}
const verdict = (bundle: Json) =>
  verifyBundle(JSON.stringify(bundle), { digest: made.artifact.digest }, made.policy())

const urlSafe = (text: string): string => text.replaceAll('+', '-').replaceAll('/', '_')
const unpadded = (text: string): string => text.replace(/=+$/, '')
/** Lines of 64 characters, in a number for which Go reads padding or its absence. */
const wrapped = (text: string): string => {
  const lines = text.replace(/.{64}/g, '$&\n')
  const breaks = (lines.length - text.length) % 4
  return text.endsWith('=') ? lines + '\n'.repeat((4 - breaks) % 4) : lines
}
const badly: Readonly<Record<string, (text: string) => string>> = {
  'in two alphabets': (text) => `+-${text.slice(2)}`,
  'with a space': (text) => `${text.slice(0, 8)} ${text.slice(8)}`,
  'with a tab': (text) => `${text.slice(0, 8)}\t${text.slice(8)}`,
  'with too much padding': (text) => `${unpadded(text)}===`,
  'with padding inside': (text) => `${text.slice(0, 4)}====${text.slice(4)}`,
  'with garbage behind': (text) => `${text}!`,
  'cut short': (text) => unpadded(text).slice(0, -2),
  empty: () => '',
}

describe.each(Object.keys(PLACES))('the %s of a bundle', (place) => {
  it.each<[string, (text: string) => string]>([
    ['URL-safe', urlSafe],
    ['URL-safe without padding', (text) => unpadded(urlSafe(text))],
    ['without padding', unpadded],
    ['with line breaks', wrapped],
    ['URL-safe with line breaks', (text) => wrapped(urlSafe(text))],
    ['with line breaks of Windows', (text) => wrapped(text).replaceAll('\n', '\r\n\r\n\r\n')],
  ])('may be %s', async (_, how) => {
    await verdict(spell(place, how))
  })

  it.each(Object.entries(badly))('is refused %s', async (_, how) => {
    await expect(verdict(spell(place, how))).rejects.toMatchObject({
      code: 'ERR_SIGNATURE_INVALID',
    })
  })
})

describe('a trusted root', () => {
  it('may be URL-safe and wrapped too', async () => {
    const root: Json = made.root()
    for (const log of [...root.tlogs, ...root.ctlogs])
      log.publicKey.rawBytes = wrapped(urlSafe(log.publicKey.rawBytes))
    await verifyBundle(
      made.bundle(),
      { digest: made.artifact.digest },
      made.policy({ trustedRoot: JSON.stringify(root) }),
    )
  })
})
