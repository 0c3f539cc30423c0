import { digestOf } from '../../src/bytes/digest.ts'
import { formatCanonicalJson } from '../../src/bytes/json.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { EMPTY_BYTES, EMPTY_DESCRIPTOR, IMAGE_MANIFEST } from '../../src/oci/manifest.ts'
import type { Descriptor, Store } from '../../src/types.ts'

export interface Piece {
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array<ArrayBuffer>
}

export async function blobOf(content: string | Uint8Array): Promise<Piece> {
  const bytes =
    typeof content === 'string' ? encodeUtf8(content) : (content as Uint8Array<ArrayBuffer>)
  return {
    descriptor: { mediaType: 'text/plain', digest: await digestOf(bytes), size: bytes.length },
    bytes,
  }
}

/** An artifact of these layers. */
export async function manifestOf(
  layers: readonly Descriptor[],
  extra: Readonly<Record<string, unknown>> = {},
): Promise<Piece> {
  const bytes = formatCanonicalJson({
    schemaVersion: 2,
    mediaType: IMAGE_MANIFEST,
    artifactType: 'application/vnd.example',
    config: EMPTY_DESCRIPTOR,
    layers,
    ...extra,
  })
  return {
    descriptor: { mediaType: IMAGE_MANIFEST, digest: await digestOf(bytes), size: bytes.length },
    bytes,
  }
}

/** Pushes an artifact with one layer under a tag. */
export async function pushArtifact(
  store: Store,
  content: string | Uint8Array,
  tag: string,
  extra: Readonly<Record<string, unknown>> = {},
): Promise<{ layer: Piece; manifest: Piece }> {
  const layer = await blobOf(content)
  const manifest = await manifestOf([layer.descriptor], extra)
  await store.push(EMPTY_DESCRIPTOR, EMPTY_BYTES)
  await store.push(layer.descriptor, layer.bytes)
  await store.push(manifest.descriptor, manifest.bytes, { tag })
  return { layer, manifest }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
