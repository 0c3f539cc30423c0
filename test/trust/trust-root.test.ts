import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { publicGoodRoot, publicGoodTufRoot } from '../../src/trust/root/trust-root.ts'
import { assertSigned, parseTufDocument } from '../../src/trust/root/tuf-metadata.ts'
import { parseTrustedRoot } from '../../src/trust/root/trusted-root.ts'

interface Seeds {
  readonly [url: string]: { readonly targets: { readonly [name: string]: string } }
}

describe('the public-good trusted root', () => {
  it('equals the root in the client of sigstore', () => {
    const seeds = createRequire(import.meta.url)('@sigstore/tuf/seeds.json') as Seeds
    const target = seeds['https://tuf-repo-cdn.sigstore.dev']!.targets['trusted_root.json']!
    expect(publicGoodRoot).toEqual(JSON.parse(Buffer.from(target, 'base64').toString()))
  })

  it('has a TUF root for updates that is signed by itself', async () => {
    const seeds = createRequire(import.meta.url)('@sigstore/tuf/seeds.json') as Record<
      string,
      { 'root.json': string }
    >
    const seed = seeds['https://tuf-repo-cdn.sigstore.dev']!['root.json']
    expect(publicGoodTufRoot).toEqual(JSON.parse(Buffer.from(seed, 'base64').toString()))
    const document = parseTufDocument(publicGoodTufRoot, 'root')
    await assertSigned(document, document, 'root')
  })

  it('has current and former logs and authorities', () => {
    const { tlogs, ctlogs, certificateAuthorities, timestampAuthorities } =
      parseTrustedRoot(publicGoodRoot)
    expect(
      [tlogs, ctlogs, certificateAuthorities, timestampAuthorities].map((list) => list.length),
    ).toEqual([2, 2, 2, 1])
  })
})

describe('a trusted root', () => {
  const edited = (edit: (root: any) => void): object => {
    const root = structuredClone(publicGoodRoot)
    edit(root)
    return root
  }

  it.each([
    ['no object', () => 'null'],
    ['no JSON', () => '{nope'],
    ['another media type', () => edited((root) => (root.mediaType = 'application/json'))],
    [
      'a log without the start of its range',
      () => edited((root) => delete root.tlogs[0].publicKey.validFor.start),
    ],
    [
      'an authority without the start of its range',
      () => edited((root) => delete root.certificateAuthorities[0].validFor.start),
    ],
    [
      'an authority without certificates',
      () => edited((root) => (root.certificateAuthorities[0].certChain.certificates = [])),
    ],
    [
      'a damaged certificate',
      () =>
        edited(
          (root) => (root.certificateAuthorities[0].certChain.certificates[0].rawBytes = 'MAA='),
        ),
    ],
    [
      'a time that is none',
      () => edited((root) => (root.ctlogs[0].publicKey.validFor.start = 'yesterday')),
    ],
    [
      'too many logs',
      () => edited((root) => (root.tlogs = Array.from({ length: 65 }, () => root.tlogs[0]))),
    ],
  ])('is refused for %s', (_, make) => {
    expect(() => parseTrustedRoot(make())).toThrow(
      expect.objectContaining({ reason: 'TRUST_ROOT_INVALID' }),
    )
  })

  it('has a message that mentions the trusted root once', () => {
    expect(() => parseTrustedRoot({ mediaType: 'application/json' })).toThrow(
      /^the trusted root is invalid: its media type is not supported \(versions 0\.1 and 0\.2 are\)$/,
    )
  })

  it('with an unsupported key fails only signatures that need the key', () => {
    const root = parseTrustedRoot(
      edited((json) => (json.tlogs[0].publicKey.rawBytes = 'MAkwBAYCKgMDAQA=')),
    )
    expect(() => root.tlogs[0]!.key()).toThrow()
    expect(root.tlogs[1]!.key().kind).toBe('Ed25519')
  })
})
