// Parsers of what strangers wrote: they read it or reject with a code, whatever it is.
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseBase64 } from '../../src/bytes/base64.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { SpindleError } from '../../src/errors.ts'
import { parseBundle } from '../../src/trust/bundle/bundle.ts'
import { parseCertificate } from '../../src/trust/x509/certificate.ts'
import { parseStatement } from '../../src/trust/bundle/dsse.ts'
import { parseIdentity } from '../../src/trust/x509/identity.ts'
import { parseIdentityToken } from '../../src/trust/keyless/identity-token.ts'
import { verifyLegacySignature } from '../../src/trust/cosign/legacy-signature.ts'
import { assertEntry } from '../../src/trust/log/log-entry.ts'
import type { LoadedRule } from '../../src/trust/policy/load-policy.ts'
import { parseSigningConfig } from '../../src/trust/keyless/signing-config.ts'
import { verifyTimestamp } from '../../src/trust/time/timestamp.ts'
import { parseTrustedRoot } from '../../src/trust/root/trusted-root.ts'
import { parseTufDocument } from '../../src/trust/root/tuf-metadata.ts'
import { verifyBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { type Json, type Keyless, signKeyless } from './trust-fixture.ts'

const RUNS = 500
const DIGEST = `sha256:${'0'.repeat(64)}` as const

/** What `JSON.parse` may give, with the names that documents have often among them. */
const json = fc.jsonValue({ maxDepth: 4 })

async function codedOrRead(read: () => unknown): Promise<void> {
  try {
    await read()
  } catch (error) {
    expect(error).toBeInstanceOf(SpindleError)
  }
}

let made: Keyless
beforeAll(async () => {
  made = await signKeyless()
})

describe('an identity token', () => {
  it('that is none is refused without a word of it', () => {
    const payload = btoa('hunter22 is secret').replace(/=+$/, '')
    expect(() => parseIdentityToken(`x.${payload}.x`, 'a')).toThrow(
      /^the identity token is invalid: claims should be an object$/,
    )
  })
})

describe('any JSON', () => {
  it.each<[string, (value: Json) => unknown]>([
    ['a bundle', (value) => parseBundle(value)],
    ['a bundle as bytes', (value) => parseBundle(encodeUtf8(JSON.stringify(value)))],
    ['a trusted root', (value) => parseTrustedRoot(value)],
    ['a signing config', (value) => parseSigningConfig(value)],
    ['TUF metadata', (value) => parseTufDocument(encodeUtf8(JSON.stringify(value)), 'root')],
    ['a statement', (value) => parseStatement(encodeUtf8(JSON.stringify(value)), DIGEST)],
    [
      'a log entry',
      (value) =>
        assertEntry(encodeUtf8(JSON.stringify(value)), {
          signature: new Uint8Array(1),
          data: new Uint8Array(1),
          verifiers: [],
        }),
    ],
    [
      'a token',
      (value) => parseIdentityToken(`x.${btoa(encodeURI(JSON.stringify(value)))}.x`, 'a'),
    ],
  ])('as %s is read or rejects with a code', async (_, parse) => {
    await fc.assert(
      fc.asyncProperty(json, (value) => codedOrRead(() => parse(value))),
      { numRuns: RUNS },
    )
  })

  it('in the place of any part of a bundle rejects with a code', async () => {
    const policy = made.policy()
    const places = placesOf(made.bundle())
    await fc.assert(
      fc.asyncProperty(fc.nat(places.length - 1), json, async (at, value) => {
        const bundle = made.bundle()
        const path = places[at]!
        const parent = path.slice(0, -1).reduce((node: Json, name) => node[name], bundle)
        parent[path.at(-1)!] = value
        await codedOrRead(() => verifyBundle(bundle, { digest: made.artifact.digest }, policy))
      }),
      { numRuns: RUNS },
    )
  })

  it('in the place of any part of a trusted root is read or rejects with a code', async () => {
    const places = placesOf(made.root())
    await fc.assert(
      fc.asyncProperty(fc.nat(places.length - 1), json, async (at, value) => {
        const root: Json = made.root()
        const path = places[at]!
        const parent = path.slice(0, -1).reduce((node: Json, name) => node[name], root)
        parent[path.at(-1)!] = value
        await codedOrRead(() =>
          verifyBundle(
            made.bundle(),
            { digest: made.artifact.digest },
            made.policy({ trustedRoot: root }),
          ),
        )
      }),
      { numRuns: RUNS },
    )
  })

  it('in annotations of the older form rejects with a code', async () => {
    const rule = { keys: [], annotations: [] } as unknown as LoadedRule
    const annotations = fc.dictionary(
      fc.constantFrom(
        'dev.cosignproject.cosign/signature',
        'dev.sigstore.cosign/certificate',
        'dev.sigstore.cosign/chain',
        'dev.sigstore.cosign/bundle',
        'dev.sigstore.cosign/rfc3161timestamp',
      ),
      fc.oneof(
        json.map((value) => JSON.stringify(value)),
        fc.string(),
        fc.base64String(),
      ),
    )
    await fc.assert(
      fc.asyncProperty(annotations, fc.uint8Array(), (layer, payload) =>
        codedOrRead(() => verifyLegacySignature(payload, layer, DIGEST, rule)),
      ),
      { numRuns: RUNS },
    )
  })
})

describe('changed bytes', () => {
  /** Some bytes replaced, or the end cut off. */
  const change = fc.record({
    at: fc.array(fc.tuple(fc.nat(100_000), fc.nat(255)), { minLength: 1, maxLength: 3 }),
    keep: fc.option(fc.nat(100_000), { freq: 4 }),
  })
  const apply = (
    bytes: Uint8Array,
    { at, keep }: { at: [number, number][]; keep: number | null },
  ): Uint8Array => {
    const changed = bytes.slice(0, keep === null ? bytes.length : keep % (bytes.length + 1))
    for (const [place, value] of at) if (changed.length > 0) changed[place % changed.length] = value
    return changed
  }

  it('of a certificate are read or reject with a code', async () => {
    const der = parseBase64(made.bundle().verificationMaterial.certificate.rawBytes)!
    await fc.assert(
      fc.asyncProperty(change, (how) =>
        codedOrRead(() => parseIdentity(parseCertificate(apply(der, how)))),
      ),
      { numRuns: 2 * RUNS },
    )
  })

  it('of a timestamp never give another time', async () => {
    const material = made.bundle().verificationMaterial.timestampVerificationData
    const der = parseBase64(material.rfc3161Timestamps[0].signedTimestamp)!
    const signature = parseBase64(made.bundle().dsseEnvelope.signatures[0].sig)!
    const { timestampAuthorities } = parseTrustedRoot(made.root())
    const { at } = await verifyTimestamp(der, signature, timestampAuthorities)
    await fc.assert(
      fc.asyncProperty(change, (how) =>
        codedOrRead(async () => {
          const verified = await verifyTimestamp(apply(der, how), signature, timestampAuthorities)
          expect(verified.at).toBe(at)
        }),
      ),
      { numRuns: 2 * RUNS },
    )
  })
})

/** Paths to everything in a JSON document. */
function placesOf(value: Json, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [
    [...path, key],
    ...placesOf(inner, [...path, key]),
  ])
}
