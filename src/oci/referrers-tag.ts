import { algorithmOf, hexOf } from '../bytes/digest.ts'
import type { Digest } from '../types.ts'

/**
 * The tag that lists what refers to a manifest, on registries without the referrers API.
 * @see Distribution Spec 1.1, Referrers Tag Schema
 */
export function referrersTag(subject: Digest): string {
  return `${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`
}
