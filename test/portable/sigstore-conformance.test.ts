import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { SignatureInvalid } from '../../src/errors.ts'
import type { Policy } from '../../src/trust/policy.ts'
import { publicGoodRoot } from '../../src/trust/trust-root.ts'
import { verifyBundle } from '../../src/trust/verify-bundle.ts'
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

describe('sigstore conformance', () => {
  if (cases.length === 0) {
    it('has its cases', (context) => context.skip(VECTORS_MISSING))
    return
  }

  it('has 35 cases', () => expect(cases).toHaveLength(35))

  describe.each(cases)('%s', (name, files) => {
    const bundle = files.get('bundle.sigstore.json')!
    const artifact = encodeUtf8(files.get('artifact') ?? shared!.get('a.txt')!)
    const policy = policyOf(files)

    it(
      name.endsWith('_fail') ? 'is refused over the artifact' : 'holds over the artifact',
      async () => {
        const verdict = verifyBundle(bundle, { artifact }, policy)
        if (name.endsWith('_fail')) await expect(verdict).rejects.toBeInstanceOf(SignatureInvalid)
        else expect((await verdict).signer.kind).toBe('key' in policy ? 'key' : 'certificate')
      },
    )

    const overBytes = bundle.includes('"messageSignature"')
    const says = name.endsWith('_fail')
      ? 'is refused'
      : overBytes
        ? 'asks for the artifact'
        : 'holds'
    it(`${says} over the digest`, async () => {
      const verdict = verifyBundle(bundle, { digest: await digestOf(artifact) }, policy)
      if (name.endsWith('_fail')) return expect(verdict).rejects.toBeInstanceOf(SignatureInvalid)
      // WebCrypto hashes what it verifies: without the bytes it can't, and that is said.
      if (overBytes)
        return expect(verdict).rejects.toMatchObject({
          code: 'ERR_UNSUPPORTED',
          message: expect.stringContaining('hand over the artifact'),
        })
      await verdict
    })
  })
})
