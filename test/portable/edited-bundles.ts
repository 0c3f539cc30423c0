// What the tests of bundles take them apart with, and what they expect then.
import { expect } from 'vitest'
import { formatBase64, parseBase64 } from '../../src/bytes/base64.ts'
import type { Json } from './trust-fixture.ts'

/** Base64 of the same bytes but for one bit. */
export const flip = (text: string, at = 20): string => {
  const bytes = parseBase64(text)!
  bytes[at] = bytes[at]! ^ 1
  return formatBase64(bytes)
}

/** The bundle's first entry of a log. */
export const entry = (bundle: Json): Json => bundle.verificationMaterial.tlogEntries[0]

export async function refuse(verdict: Promise<unknown>, reason: string): Promise<void> {
  await expect(verdict).rejects.toMatchObject({ reason })
}
