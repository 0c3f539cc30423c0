import { formatCanonicalJson } from '../../src/bytes/json.ts'
import { describeContent } from '../../src/bytes/describe.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import {
  EMPTY_BYTES,
  EMPTY_DESCRIPTOR,
  IMAGE_INDEX,
  IMAGE_MANIFEST,
} from '../../src/oci/manifest.ts'
import type { Descriptor, Store } from '../../src/types.ts'

/** Puts a small artifact into a store; what it contains follows from `texts`. */
export async function putArtifact(
  store: Store,
  texts: readonly string[],
  more: { tag?: string; subject?: Descriptor; artifactType?: string } = {},
): Promise<Descriptor> {
  await store.push(EMPTY_DESCRIPTOR, EMPTY_BYTES)
  const layers = await Promise.all(
    texts.map(async (text) => {
      const descriptor = await describeContent(encodeUtf8(text), 'text/plain')
      await store.push(descriptor, encodeUtf8(text))
      return descriptor
    }),
  )
  const { tag, ...rest } = more
  return putJson(
    store,
    { schemaVersion: 2, mediaType: IMAGE_MANIFEST, config: EMPTY_DESCRIPTOR, layers, ...rest },
    IMAGE_MANIFEST,
    tag,
  )
}

export async function putIndex(
  store: Store,
  manifests: readonly Descriptor[],
  tag?: string,
): Promise<Descriptor> {
  return putJson(store, { schemaVersion: 2, mediaType: IMAGE_INDEX, manifests }, IMAGE_INDEX, tag)
}

async function putJson(
  store: Store,
  value: unknown,
  mediaType: string,
  tag?: string,
): Promise<Descriptor> {
  const bytes = formatCanonicalJson(value)
  const descriptor = await describeContent(bytes, mediaType)
  await store.push(descriptor, bytes, tag === undefined ? {} : { tag })
  return descriptor
}
