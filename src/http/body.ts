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

/** Bytes up to this size go out as they are: nothing to report on the way, and no copy worth saving. */
const WHOLE_BYTES = 256 * 1024
const PIECE_BYTES = 64 * 1024

/** Advice for a body whose size is not the expected one. */
export const SOURCE_CHANGED = 'it changed while it was sent; load it again'

/** A body as `fetch` takes it here. */
export interface OpenBody {
  readonly init: {
    readonly body: Uint8Array<ArrayBuffer> | Blob | ReadableStream<Uint8Array>
    readonly duplex?: 'half'
  }
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
  if (source instanceof Uint8Array && (source.length <= WHOLE_BYTES || platform.guarded))
    return whole(source)
  if (source instanceof Blob && (source.size === 0 || platform.guarded)) return whole(source)
  let failure: { error: unknown } | undefined
  const stream = watchStream(() => openBytes(source), {
    ...counting(size, options.onUpload),
    failure(error) {
      failure = { error }
    },
  })
  if (platform.guarded) {
    // Disk-backed in browsers, so that a large layer does not fill the tab's memory.
    const until = { signal: options.signal } as StreamPipeOptions
    return whole(await new Response(stream.pipeThrough(new TransformStream(), until)).blob())
  }
  if (platform.FixedLengthStream === undefined || size === undefined)
    return { init: { body: stream, duplex: 'half' }, size, failure: () => failure }
  const { readable, writable } = new platform.FixedLengthStream(size)
  // When it breaks, `fetch` rejects, and `failure` says why.
  stream.pipeTo(writable).catch(() => {})
  return { init: { body: readable, duplex: 'half' }, size, failure: () => failure }
}

/** In pieces that are copies: who sends may detach what it is given, and the caller's bytes are the caller's. */
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
      // What was handed out before has been taken, now that there is more to be read.
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

/** Only what can be opened anew can be sent again. */
export function isReplayable(body: BodySource | undefined): boolean {
  return !isStream(body)
}
