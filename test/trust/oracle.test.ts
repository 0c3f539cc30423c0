// Compared with sigstore's own verifier: we never accept what it rejects.
import { bundleFromJSON } from '@sigstore/bundle'
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify'
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import process from 'node:process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SpindleError } from '../../src/errors.ts'
import { verifyBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { type Json, type Keyless, signKeyless } from '../portable/trust-fixture.ts'

const require = createRequire(import.meta.url)
type SignedEntity = ReturnType<typeof toSignedEntity>

const { TrustedRoot } = require(
  require.resolve('@sigstore/protobuf-specs', { paths: [require.resolve('@sigstore/verify')] }),
) as { TrustedRoot: { fromJSON(json: unknown): never } }

/**
 * Version 3.1.1 takes the digest of a `hashedrekord` 0.0.2 for that of an envelope's payload. Logs of
 * version 2 write down what the signature covers, the envelope's encoding: clients of June 2026 and
 * later expect that, as do the conformance cases. Nothing else of it is touched.
 */
function correctDigest(entity: SignedEntity): void {
  const { signature } = entity as unknown as {
    signature: { compareDigest: (digest: Buffer) => boolean; preAuthEncoding?: Buffer }
  }
  const covered = signature.preAuthEncoding
  if (covered === undefined) return
  signature.compareDigest = (digest) => createHash('sha256').update(covered).digest().equals(digest)
}

function createOracle(
  trustedRoot: unknown,
  prepare: (entity: SignedEntity) => void = () => {},
): (bundle: Json) => boolean {
  const material = toTrustMaterial(TrustedRoot.fromJSON(trustedRoot))
  const verifier = new Verifier(material, {
    ctlogThreshold: 1,
    tlogThreshold: 1,
    timestampThreshold: 1,
  })
  return (bundle) => {
    try {
      const entity = toSignedEntity(bundleFromJSON(bundle))
      prepare(entity)
      verifier.verify(entity, {
        subjectAlternativeName: 'dev@example.org',
        extensions: { issuer: 'https://accounts.sigstore.test' },
      })
      return true
    } catch {
      return false
    }
  }
}

/** Every leaf of a JSON value, by its path. */
function leavesOf(value: Json, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key]))
}

const edit = (
  bundle: Json,
  path: readonly string[],
  change: (value: Json, parent: Json, key: string) => void,
): void => {
  const parent = path.slice(0, -1).reduce((at, key) => at[key], bundle)
  change(parent[path.at(-1)!], parent, path.at(-1)!)
}

/** One random change to a leaf: bytes, digits, types, absence, or another leaf's value. */
function mutate(
  bundle: Json,
  path: readonly string[],
  other: readonly string[],
  kind: number,
  at: number,
): void {
  let foreign: Json
  edit(bundle, other, (value) => (foreign = value))
  edit(bundle, path, (value, parent, key) => {
    const text = String(value)
    const index = text.length === 0 ? 0 : at % text.length
    if (kind === 0) delete parent[key]
    else if (kind === 1) parent[key] = foreign
    else if (kind === 2) parent[key] = ''
    else if (kind === 3)
      parent[key] = /^\d+$/.test(text)
        ? String(BigInt(text) + BigInt(at % 3) - 1n)
        : text.slice(0, index)
    else if (kind === 4) parent[key] = null
    else
      parent[key] =
        text.slice(0, index) +
        String.fromCharCode(((text.charCodeAt(index) - 33 + 1 + (at % 90)) % 94) + 33) +
        text.slice(index + 1)
  })
}

/**
 * Where we are stricter, it is over what proves nothing to either: tree size and root that stand
 * beside an inclusion proof have to repeat the checkpoint's, integers and base64 have one spelling,
 * and parts of a timestamp that nobody signed have to be DER. With a log of version 2 nobody signs
 * the log's id and index beside the proof either: the one has to be the checkpoint's log, the other
 * the proof's index.
 */
// Some 13 ms each, mostly the oracle's: CI has the time for all of them.
const RUNS = process.env['CI'] === 'true' ? 2400 : 240

describe('against @sigstore/verify', () => {
  it('accepts our signatures with Rekor v1', async () => {
    const made = await signKeyless({ version: 1 })
    expect(createOracle(made.root())(made.bundle())).toBe(true)
  })

  it('accepts our signatures with Rekor v2, except for its comparison with the log entry', async () => {
    const made = await signKeyless({ version: 2 })
    expect(createOracle(made.root(), correctDigest)(made.bundle())).toBe(true)
    expect(createOracle(made.root())(made.bundle())).toBe(false)
  })

  it.each([1, 2] as const)(
    `never do we accept what it refuses, over ${RUNS} mutations, with a log of version %i`,
    { timeout: 120_000 },
    async (version) => {
      const made: Keyless = await signKeyless({ version })
      const digest = made.artifact.digest
      const policy = made.policy()
      const oracleAccepts = createOracle(made.root(), version === 2 ? correctDigest : undefined)
      const leaves = leavesOf(made.bundle())
      const tally = { both: 0, neither: 0, stricter: 0 }
      const stricter = new Map<string, number>()
      const property = fc.asyncProperty(
        fc.nat(leaves.length - 1),
        fc.nat(leaves.length - 1),
        fc.nat(9),
        fc.nat(5000),
        async (a, b, kind, at) => {
          const bundle = made.bundle()
          mutate(bundle, leaves[a]!, leaves[b]!, kind, at)
          let ours: string | undefined
          try {
            await verifyBundle(bundle, { digest }, policy)
          } catch (error) {
            expect(error).toBeInstanceOf(SpindleError)
            ours = (error as { reason?: string }).reason ?? 'refused'
          }
          const theirs = oracleAccepts(bundle)
          if (ours === undefined)
            expect(theirs, `accepted alone: ${leaves[a]!.join('.')} kind ${kind}`).toBe(true)
          if (ours === undefined) tally.both++
          else if (!theirs) tally.neither++
          else {
            tally.stricter++
            const where = `${leaves[a]!.filter((key) => !/^\d+$/.test(key))
              .slice(-2)
              .join('.')}: ${ours}`
            stricter.set(where, (stricter.get(where) ?? 0) + 1)
          }
        },
      )
      await fc.assert(property, { numRuns: RUNS, seed: 20260801 })
      console.log(
        tally,
        [...stricter].map(([where, count]) => `${count} × ${where}`),
      )
      expect(tally.both + tally.neither + tally.stricter).toBe(RUNS)
    },
  )
})
