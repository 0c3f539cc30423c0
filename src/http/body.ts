import { SpindleError } from '../errors.ts'
import { chunksOf, isStream, openStream, sizeOf } from '../bytes/stream.ts'
import { piecesOf, streamFrom } from '../bytes/generate.ts'
import type { BodySource } from '../types.ts'
import type { Platform } from './platform.ts'

/** Bytes up to this size go out as they are: nothing to report on the way, and no copy worth saving. */
const WHOLE_BYTES = 256 * 1024
const PIECE_BYTES = 64 * 1024

/** A body as `fetch` takes it here. */
export interface OpenBody {
  readonly init: RequestInit & { duplex?: 'half' }
  /** In bytes; `undefined` when nobody knows. */
  readonly size: number | undefined
  /** What the source failed with: the true cause when the request fails. */
  readonly failure: () => { readonly error: unknown } | undefined
}

/**
 * Opens a body for one attempt, in the form that gets a `Content-Length` on this platform:
 * registries refuse chunked uploads, or buffer them whole.
 *
 * Node takes a stream beside the header, Workers a `FixedLengthStream`, browsers bytes or a `Blob`.
 */
export async function openBody(
  source: BodySource,
  platform: Platform,
  options: { size?: number | undefined; onUpload?: ((loaded: number) => void) | undefined },
): Promise<OpenBody> {
  const size = sizeOf(source) ?? options.size
  const whole = (body: Uint8Array | Blob): OpenBody => ({
    init: { body: body as Blob | Uint8Array<ArrayBuffer> },
    size,
    failure: () => undefined,
  })
  if (source instanceof Uint8Array && (source.length <= WHOLE_BYTES || platform.guarded))
    return whole(source)
  if (source instanceof Blob && (source.size === 0 || platform.guarded)) return whole(source)
  let failure: { error: unknown } | undefined
  const stream = streamFrom(
    count(source, size, options.onUpload, (error) => {
      failure = { error }
    }),
  )
  if (platform.guarded) {
    // Disk-backed in browsers, so that a large layer does not fill the tab's memory.
    return whole(await new Response(stream).blob())
  }
  if (platform.FixedLengthStream === undefined || size === undefined)
    return { init: { body: stream, duplex: 'half' }, size, failure: () => failure }
  const { readable, writable } = new platform.FixedLengthStream(size)
  // When it breaks, `fetch` rejects, and `failure` says why.
  stream.pipeTo(writable).catch(() => {})
  return { init: { body: readable, duplex: 'half' }, size, failure: () => failure }
}

async function* count(
  source: BodySource,
  size: number | undefined,
  onUpload: ((loaded: number) => void) | undefined,
  onFailure: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  let loaded = 0
  try {
    const chunks =
      source instanceof Uint8Array ? piecesOf(source, PIECE_BYTES) : chunksOf(openStream(source))
    for await (const chunk of chunks) {
      loaded += chunk.length
      if (size !== undefined && loaded > size) throw wrongSize(size, `more than ${size}`)
      // A consumer may detach what it is given; the caller's bytes are the caller's.
      yield source instanceof Uint8Array ? chunk.slice() : chunk
      onUpload?.(loaded)
    }
    if (size !== undefined && loaded < size) throw wrongSize(size, loaded)
  } catch (error) {
    onFailure(error)
    throw error
  }
}

function wrongSize(expected: number, actual: number | string): SpindleError {
  return new SpindleError(
    'ERR_DIGEST_MISMATCH',
    `the source of an upload should have ${expected} bytes, but ${actual} came: it changed while it was sent; load it again`,
  )
}

/** Only what can be opened anew can be sent again. */
export function isReplayable(body: BodySource | undefined): boolean {
  return !isStream(body)
}
