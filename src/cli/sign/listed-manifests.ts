import { SpindleError } from '../../errors.ts'
import { parseReference } from '../../oci/reference.ts'
import { createRepository } from '../../registry/repository.ts'
import { readManifest } from '../../trust/cosign/signature-manifest.ts'
import type { Descriptor, Reference, RemoteOptions } from '../../types.ts'

/** An index lists some platforms; this ends what lists itself or a whole registry. */
const MAX_MANIFESTS = 256

/** What references name, and what an index among it lists, each by its digest and once. */
export async function withListed(
  references: readonly Reference[],
  remote: RemoteOptions,
): Promise<Reference[]> {
  const all = new Map<string, Reference>()
  for (const reference of references) {
    const { registry, repository, digest, tag = 'latest', scheme } = reference
    const store = createRepository(reference, remote)
    const add = async (descriptor: Descriptor): Promise<void> => {
      const name = `${registry}/${repository}@${descriptor.digest}`
      if (all.has(name)) return
      if (all.size === MAX_MANIFESTS)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `${reference} lists more than ${MAX_MANIFESTS} manifests; sign them by their digests`,
        )
      all.set(name, parseReference(scheme === undefined ? name : `${scheme}://${name}`))
      const manifest = await readManifest(store, descriptor, remote)
      if (manifest.kind === 'index') for (const listed of manifest.manifests) await add(listed)
    }
    await add(await store.resolve(digest ?? tag, { ...remote, withBytes: true }))
  }
  return [...all.values()]
}
