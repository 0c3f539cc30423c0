import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { SignatureInvalid } from '../../src/errors.ts'
import type { Policy } from '../../src/trust/policy/policy.ts'
import { publicGoodRoot } from '../../src/trust/root/trust-root.ts'
import { verifyBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { verifyDigest } from '../../src/trust/keys/verify-digest.ts'
import { conformanceCases, VECTORS_MISSING } from './sigstore-vectors.ts'

const IDENTITY =
  'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main'
const ISSUER = 'https://token.actions.githubusercontent.com'

const shared = conformanceCases.get('')
const cases = [...conformanceCases].filter(([, files]) => files.has('bundle.sigstore.json'))

function policyOf(files: ReadonlyMap<string, string>): Policy {
  const trustedRoot = files.get('trusted_root.json') ?? publicGoodRoot
  const key = files.get('key.pub')
  if (key !== undefined) return { key, trustedRoot }
  return {
    identity: files.get('identity')?.trim() ?? IDENTITY,
    issuer: files.get('issuer')?.trim() ?? ISSUER,
    trustedRoot,
  }
}

/** As the official harness: each case by the path of its artifact, and by its digest. */
const RUNS = ['artifact', 'digest'] as const

describe('sigstore conformance', () => {
  if (cases.length === 0) {
    it('has its cases', (context) => context.skip(VECTORS_MISSING))
    return
  }

  it('has 35 cases, of which 10 hold', () => {
    const holding = cases.filter(([name]) => !name.endsWith('_fail'))
    expect([cases.length, holding.length]).toEqual([35, 10])
  })

  describe.each(cases)('%s', (name, files) => {
    const bundle = files.get('bundle.sigstore.json')!
    const artifact = encodeUtf8(files.get('artifact') ?? shared!.get('a.txt')!)
    const policy = policyOf(files)
    const overBytes = bundle.includes('"messageSignature"')
    const says = name.endsWith('_fail') ? 'is refused' : 'holds'

    it.each(RUNS)(`${says} over the %s`, async (seen) => {
      const over = seen === 'artifact' ? { artifact } : { digest: await digestOf(artifact) }
      const verdict = verifyBundle(bundle, over, policy, { verifyDigest })
      if (name.endsWith('_fail')) return expect(verdict).rejects.toBeInstanceOf(SignatureInvalid)
      const { signer, seen: compared } = await verdict
      expect(compared).toBe(seen)
      expect(signer.kind).toBe('key' in policy ? 'key' : 'certificate')
    })

    if (name.endsWith('_fail') || !overBytes) return
    it('asks for the artifact where nothing verifies over a digest', async () => {
      const verdict = verifyBundle(bundle, { digest: await digestOf(artifact) }, policy)
      // WebCrypto hashes what it verifies: without the bytes it can't, and that is said.
      await expect(verdict).rejects.toMatchObject({
        code: 'ERR_UNSUPPORTED',
        message: expect.stringContaining('pass the artifact'),
      })
    })
  })
})
