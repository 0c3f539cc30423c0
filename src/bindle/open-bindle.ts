import { chunksOf, streamFrom } from '../bytes/stream.ts'
import type { Content, OperationOptions } from '../types.ts'
import type { BindleClient } from './client.ts'
import { type BindleId, createBindleId } from './id.ts'
import type { Label } from './invoice.ts'
import type { StandaloneBindle } from './standalone.ts'

/**
 * A server's bindle as one in hand: its invoice at once, each parcel when it is read, checked.
 *
 * Exported from `spindle/bindle`.
 *
 * @example From one server to another
 * ```ts
 * await pushStandalone(to, await openBindle(from, 'team/hello/1.0.0'))
 * ```
 * @throws `ERR_NOT_FOUND`; reading a parcel also `ERR_DIGEST_MISMATCH`
 */
export async function openBindle(
  client: BindleClient,
  id: string | BindleId,
  options: OperationOptions = {},
): Promise<StandaloneBindle> {
  const invoice = await client.invoice(id, options)
  const { name, version } = invoice.bindle
  const own = createBindleId(name, version)
  const parcels = new Map(
    (invoice.parcel ?? []).map(({ label }): [string, Content] => [
      label.sha256,
      {
        size: label.size,
        stream: () => streamFrom(readParcel(client, own, label, options)),
      },
    ]),
  )
  return { id: own, invoice, parcels }
}

async function* readParcel(
  client: BindleClient,
  id: BindleId,
  label: Label,
  { signal, createHasher, onProgress }: OperationOptions,
): AsyncGenerator<Uint8Array> {
  const { mediaType, sha256, size } = label
  const descriptor = { mediaType, digest: `sha256:${sha256}`, size } as const
  const operation = {
    ...(signal === undefined ? {} : { signal }),
    ...(createHasher === undefined ? {} : { createHasher }),
  }
  let loaded = 0
  onProgress?.({ type: 'blob', descriptor, status: 'active', loaded })
  for await (const chunk of chunksOf(await client.parcel(id, label, operation), signal)) {
    loaded += chunk.length
    if (loaded < size) onProgress?.({ type: 'blob', descriptor, status: 'active', loaded })
    yield chunk
  }
  onProgress?.({ type: 'blob', descriptor, status: 'done', loaded: size })
}
