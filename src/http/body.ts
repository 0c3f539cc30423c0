import {
  type ChunkReader,
  createSizeCheck,
  isStream,
  openStream,
  sizeOf,
  type Watcher,
  watchStream,
} from '../bytes/stream.ts'
import type { BodySource } from '../types.ts'
import type { Platform } from './platform.ts'

/** Bytes up to this size are sent without a stream: progress and copies do not matter. */
const SMALL_BYTES = 256 * 1024
const PIECE_BYTES = 64 * 1024

/** Advice for a body whose size is not the expected one. */
export const SOURCE_CHANGED = 'it changed while it was sent; load it again'

/** A body in the form that `fetch` takes on this platform. */
export interface OpenBody {
  readonly init: {
    readonly body: Uint8Array<ArrayBuffer> | Blob | ReadableStream<Uint8Array>
    readonly duplex?: 'half'
  }
  /** In bytes; `undefined` if unknown. */
  readonly size: number | undefined
  /** The failure of the source, which is the cause if the request fails. */
  readonly failure: () => { readonly error: unknown } | undefined
}

/**
 * Opens a body for one attempt, in the form that is sent with a `Content-Length` on this platform:
 * registries refuse uploads without one, or buffer them.
 *
 * Node takes a stream and the header, Workers a `FixedLengthStream`, browsers bytes or a `Blob`.
 */
export async function openBody(
  source: BodySource,
  platform: Platform,
  options: {
    size?: number | undefined
    onUpload?: ((loaded: number) => void) | undefined
    signal?: AbortSignal | undefined
  },
): Promise<OpenBody> {
  const size = sizeOf(source) ?? options.size
  const whole = (body: Uint8Array | Blob): OpenBody => ({
    init: { body: body as Uint8Array<ArrayBuffer> | Blob },
    size,
    failure: () => undefined,
  })
  if (source instanceof Uint8Array && (source.length <= SMALL_BYTES || platform.isBrowser))
    return whole(source)
  if (source instanceof Blob && (source.size === 0 || platform.isBrowser)) return whole(source)
  let failure: { error: unknown } | undefined
  const stream = watchStream(() => openBytes(source), {
    ...counting(size, options.onUpload),
    failure(error) {
      failure = { error }
    },
  })
  if (platform.isBrowser) {
    // Disk-backed in browsers, so that a large layer does not fill the tab's memory.
    const until = { signal: options.signal } as StreamPipeOptions
    return whole(await new Response(stream.pipeThrough(new TransformStream(), until)).blob())
  }
  if (platform.FixedLengthStream === undefined || size === undefined)
    return { init: { body: stream, duplex: 'half' }, size, failure: () => failure }
  const { readable, writable } = new platform.FixedLengthStream(size)
  // When it fails, `fetch` rejects, and `failure` has the cause.
  stream.pipeTo(writable).catch(() => {})
  return { init: { body: readable, duplex: 'half' }, size, failure: () => failure }
}

/** In pieces that are copies: `fetch` may detach its input, and the bytes belong to the caller. */
function openBytes(source: BodySource): ReadableStream<Uint8Array> | ChunkReader {
  if (!(source instanceof Uint8Array)) return openStream(source)
  let at = 0
  return {
    async read() {
      const value = source.slice(at, (at += PIECE_BYTES))
      return { done: value.length === 0, value }
    },
    async cancel() {},
  }
}

function counting(
  size: number | undefined,
  onUpload: ((loaded: number) => void) | undefined,
): Pick<Watcher, 'chunk' | 'end'> {
  let loaded = 0
  const check = createSizeCheck('the source of an upload', size, SOURCE_CHANGED)
  return {
    chunk({ length }) {
      // The previous chunks were consumed, as the next one is read.
      if (loaded > 0) onUpload?.(loaded)
      loaded += length
      check.add(length)
    },
    end() {
      check.end()
      if (loaded > 0) onUpload?.(loaded)
    },
  }
}

/** Whether a body can be sent again: a stream can't. */
export function isReplayable(body: BodySource | undefined): boolean {
  return !isStream(body)
}
