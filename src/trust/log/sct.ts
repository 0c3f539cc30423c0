/** Signed certificate timestamps (SCTs) embedded in a certificate. @see https://www.rfc-editor.org/rfc/rfc6962#section-3 */
import {
  derElements,
  derOid,
  DER_OCTET_STRING,
  DER_SEQUENCE,
  expectDer,
  formatDer,
  parseDer,
  type Der,
  derMembers,
} from '../../bytes/der.ts'
import { rawDigestOf } from '../../bytes/digest.ts'
import { formatHex } from '../../bytes/hex.ts'
import { concat } from '../../bytes/stream.ts'
import { SignatureInvalid } from '../../errors.ts'
import type { Certificate } from '../x509/certificate.ts'
import { validAt, type Log } from '../root/trusted-root.ts'

const SCT_LIST = '1.3.6.1.4.1.11129.2.4.2'

/** Code points of RFC 5246, section 7.4.1.4.1, which RFC 6962 uses. */
const HASH_SHA256 = 4
const SIGNATURE_KINDS: ReadonlyMap<number, string> = new Map([
  [1, 'RSA'],
  [3, 'ECDSA'],
])

interface Sct {
  readonly logId: string
  /** Milliseconds since 1970. */
  readonly timestamp: number
  /** The signed fields from version to timestamp. */
  readonly head: Uint8Array
  readonly extensions: Uint8Array
  readonly kind: string | undefined
  readonly signature: Uint8Array
}

/**
 * Verifies that at least one trusted certificate transparency log issued an SCT, and that no SCT of a
 * trusted log is invalid.
 * @throws `SignatureInvalid` `SCT_MISSING`, `SCT_INVALID`.
 */
export async function verifyScts(
  leaf: Certificate,
  issuer: Certificate,
  logs: readonly Log[],
): Promise<void> {
  const extension = leaf.extensions.get(SCT_LIST)
  if (extension === undefined)
    throw new SignatureInvalid(
      'SCT_MISSING',
      'the certificate has no signed certificate timestamp (SCT)',
    )
  const list = expectDer(parseDer(extension.value), DER_OCTET_STRING).value
  const scts = parseList(list)
  const precertificate = withoutScts(leaf)
  const issuerKeyHash = await rawDigestOf(issuer.spki)
  let verified = false
  for (const sct of scts) {
    const known = logs.filter((log) => log.id === sct.logId && validAt(log, sct.timestamp))
    for (const log of known) {
      const signed = concat([
        sct.head,
        Uint8Array.of(0, 1),
        issuerKeyHash,
        uint(precertificate.length, 3),
        precertificate,
        uint(sct.extensions.length, 2),
        sct.extensions,
      ])
      const key = log.key()
      if (key.kind !== sct.kind || !(await key.verify(sct.signature, signed, 'SHA-256')))
        throw invalid('its signature does not verify')
      verified = true
    }
  }
  if (!verified) throw invalid('no certificate transparency log of the trusted root issued it')
}

function parseList(list: Uint8Array): Sct[] {
  const outer = cursor(list)
  const entries = cursor(outer.vector(2))
  outer.end()
  const scts: Sct[] = []
  while (entries.more()) {
    const body = entries.vector(2)
    const sct = cursor(body)
    const version = sct.number(1)
    const logId = formatHex(sct.take(32))
    const timestamp = sct.number(8)
    const extensions = sct.vector(2)
    const hash = sct.number(1)
    const kind = SIGNATURE_KINDS.get(sct.number(1))
    const signature = sct.vector(2)
    sct.end()
    if (version !== 0 || hash !== HASH_SHA256)
      throw invalid('its version or hash algorithm is not supported')
    // version ‖ signature type (certificate timestamp: 0) ‖ timestamp
    scts.push({
      logId,
      timestamp,
      head: concat([Uint8Array.of(0, 0), body.subarray(33, 41)]),
      extensions,
      kind,
      signature,
    })
  }
  return scts
}

/** Reads big-endian fields in the TLS presentation language. */
function cursor(bytes: Uint8Array): {
  take(n: number): Uint8Array
  number(width: number): number
  vector(width: number): Uint8Array
  more(): boolean
  end(): void
} {
  let at = 0
  const take = (n: number): Uint8Array => {
    if (at + n > bytes.length) throw invalid('it is truncated')
    return bytes.subarray(at, (at += n))
  }
  const number = (width: number): number => take(width).reduce((sum, byte) => sum * 256 + byte, 0)
  return {
    take,
    number,
    vector: (width) => take(number(width)),
    more: () => at < bytes.length,
    end: () => {
      if (at < bytes.length) throw invalid('it has trailing bytes')
    },
  }
}

/** DER of the precertificate, which the log signed: the certificate without the SCT list. */
function withoutScts(leaf: Certificate): Uint8Array {
  const rebuild = (parent: Der, replace: (child: Der) => Uint8Array): Uint8Array =>
    formatDer(parent.tag, ...derElements(parent.value).map(replace))
  const keep = (extension: Der): Uint8Array =>
    derOid(derMembers(extension)[0]) === SCT_LIST ? new Uint8Array() : extension.raw
  return rebuild(parseDer(leaf.tbs), (field) =>
    field.tag === 0xa3
      ? rebuild(field, (list) => rebuild(expectDer(list, DER_SEQUENCE), keep))
      : field.raw,
  )
}

function uint(value: number, width: number): Uint8Array {
  return Uint8Array.from(
    { length: width },
    (_, i) => Math.floor(value / 256 ** (width - 1 - i)) % 256,
  )
}

function invalid(why: string): SignatureInvalid {
  return new SignatureInvalid(
    'SCT_INVALID',
    `the certificate's signed certificate timestamp (SCT) is invalid: ${why}`,
  )
}
