// Who has to vouch for the time of signing, by a policy's `time`.
import { beforeAll, describe, expect, it } from 'vitest'
import { verifyBundle, type VerifiedBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { type Json, type Keyless, signKeyless } from './trust-fixture.ts'

const HOUR = 3_600_000
let made: Keyless
/** Signed when its certificate was valid, which is over. */
let old: Keyless
beforeAll(async () => {
  made = await signKeyless()
  const at = new Date(Date.now() - HOUR)
  // The token is looked at before it is sent, by this machine's clock.
  const exp = Math.floor(Date.now() / 1000) + 300
  old = await signKeyless({ clock: () => at, claims: { exp } })
})

const withoutLog = (bundle: Json): unknown => delete bundle.verificationMaterial.tlogEntries
const withoutAuthority = (bundle: Json): unknown =>
  delete bundle.verificationMaterial.timestampVerificationData

function verify(
  signed: Keyless,
  time: 'any' | 'log' | 'authority' | 'now',
  ...edits: readonly ((bundle: Json) => unknown)[]
): Promise<VerifiedBundle> {
  const bundle = signed.bundle()
  for (const edit of edits) edit(bundle)
  const policy = signed.policy({ requireTransparencyLog: false, time })
  return verifyBundle(bundle, { digest: signed.artifact.digest }, policy)
}
const sourcesOf = ({ times }: VerifiedBundle): string[] => times.map(({ source }) => source)

describe('a policy that asks', () => {
  it('anybody takes a log or an authority, and not nobody', async () => {
    expect(sourcesOf(await verify(old, 'any', withoutLog))).toEqual(['authority'])
    expect(sourcesOf(await verify(old, 'any', withoutAuthority))).toEqual(['log'])
    await expect(verify(made, 'any', withoutLog, withoutAuthority)).rejects.toMatchObject({
      reason: 'TIMESTAMP_MISSING',
    })
  })

  it.each([
    ['log', withoutLog],
    ['authority', withoutAuthority],
  ] as const)('the %s takes no other', async (time, without) => {
    expect(sourcesOf(await verify(old, time))).toEqual(['log', 'authority'])
    await expect(verify(made, time, without)).rejects.toMatchObject({ reason: 'TIMESTAMP_MISSING' })
  })

  it('the clock takes a certificate that is valid now, whoever else vouches', async () => {
    expect(sourcesOf(await verify(made, 'now', withoutLog, withoutAuthority))).toEqual([])
    expect(sourcesOf(await verify(made, 'now'))).toEqual(['log', 'authority'])
    for (const edits of [[withoutLog, withoutAuthority], [withoutLog], []])
      await expect(verify(old, 'now', ...edits)).rejects.toMatchObject({ reason: 'CERT_TIME' })
  })
})
