import { isDigest } from '../../bytes/digest.ts'
import { parseJson } from '../../bytes/json.ts'
import type { Digest } from '../../types.ts'

/**
 * Every digest that stands anywhere in a manifest.
 *
 * More than what a push is checked for: layers that may stay elsewhere, and fields of types that are
 * not known here. What may be needed by somebody is not garbage.
 */
export function mentionedDigests(manifest: Uint8Array): ReadonlySet<Digest> {
  const digests = new Set<Digest>()
  // No recursion, and no limits: a manifest that was accepted before there were any is read as well.
  const rest: unknown[] = [
    parseJson(manifest, 'the manifest', { maxKeys: Infinity, maxDepth: Infinity }),
  ]
  while (rest.length > 0) {
    const value = rest.pop()
    if (isDigest(value)) digests.add(value)
    else if (typeof value === 'object' && value !== null)
      for (const inner of Object.values(value)) rest.push(inner)
  }
  return digests
}
