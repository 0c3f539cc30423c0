import { SpindleError } from '../errors.ts'
import type {
  ContentStore,
  Descriptor,
  Digest,
  KnownBlobsStore,
  MountStore,
  ReadStore,
  ReferrerStore,
  Store,
} from '../types.ts'
import { copyGraph, type CopyGraphOptions, operationOptions } from './copy-graph.ts'

/** Referrers of referrers: a signature of an SBOM of an image is three deep. */
const MAX_REFERRER_DEPTH = 8
const MAX_REFERRERS = 10_000

interface CopyReferrersOptions extends Omit<CopyGraphOptions, 'tag' | 'beforeTag'> {
  /** Most referrers of one root, including those of its referrers. Default 10000. */
  maxReferrers?: number | undefined
}

/**
 * Copies the referrers of a root, and their referrers.
 *
 * Runs before the root is tagged: signatures must exist as soon as the tag does.
 */
export async function copyReferrers(
  from: ReadStore & Partial<ReferrerStore & ContentStore>,
  to: Store & Partial<MountStore & KnownBlobsStore>,
  root: Descriptor,
  options: CopyReferrersOptions = {},
): Promise<void> {
  const { maxReferrers = MAX_REFERRERS } = options
  if (from.referrers === undefined) return
  const seen = new Set<Digest>([root.digest])
  const how = { ...operationOptions(options), everywhere: true }
  let level: Descriptor[] = [root]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_REFERRER_DEPTH)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `referrers of ${root.digest} nest deeper than ${MAX_REFERRER_DEPTH}`,
      )
    const next: Descriptor[] = []
    for (const subject of level) {
      for await (const referrer of from.referrers(subject, how)) {
        if (seen.has(referrer.digest)) continue
        seen.add(referrer.digest)
        if (seen.size > maxReferrers)
          throw new SpindleError(
            'ERR_LIMIT_EXCEEDED',
            `${root.digest} has more than ${maxReferrers} referrers`,
            { remedy: { option: 'maxReferrers', advice: 'raise % if you trust the source' } },
          )
        next.push(referrer)
      }
    }
    for (const referrer of next) await copyGraph(from, to, referrer, options)
    level = next
  }
}
