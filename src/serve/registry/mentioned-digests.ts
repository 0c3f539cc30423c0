import { isDigest } from '../../bytes/digest.ts'
import { parseJson } from '../../bytes/json.ts'
import type { Digest } from '../../types.ts'

/**
 * Every digest anywhere in a manifest.
 *
 * More than a push is checked for: also foreign layers and fields of unknown types, which the garbage
 * collection has to keep.
 */
export function mentionedDigests(manifest: Uint8Array): ReadonlySet<Digest> {
  const digests = new Set<Digest>()
  // Iterative and without limits, for manifests that an earlier version accepted without limits.
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
