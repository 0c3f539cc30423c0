import type { SliceableContent } from './sliceable.ts'
import { createCollector, readExactly } from './stream.ts'

/** Reads forward in pieces of a wanted size. */
export interface ByteCursor {
  /** Bytes read or skipped so far. */
  readonly position: number
  /** `size` bytes, or what is left of them at the end. */
  read(size: number): Promise<Uint8Array>
  /** How many of `size` bytes there were to pass over. */
  skip(size: number): Promise<number>
  close(): Promise<void>
}

/** Over chunks that come in order; `close` ends them. */
export function cursorOver(chunks: AsyncGenerator<Uint8Array>): ByteCursor {
  let chunk = new Uint8Array(0) as Uint8Array
  let position = 0
  const take = async (size: number): Promise<Uint8Array | undefined> => {
    while (chunk.length === 0) {
      const { done, value } = await chunks.next()
      if (done === true) return undefined
      chunk = value
    }
    const part = chunk.subarray(0, size)
    chunk = chunk.subarray(part.length)
    position += part.length
    return part
  }
  return {
    get position() {
      return position
    },
    async read(size) {
      const parts = createCollector()
      let left = size
      while (left > 0) {
        const part = await take(left)
        if (part === undefined) break
        parts.add(part)
        left -= part.length
      }
      // A copy: a view would keep the whole chunk that it lies in.
      return parts.take()
    },
    async skip(size) {
      let left = size
      while (left > 0) {
        const part = await take(left)
        if (part === undefined) break
        left -= part.length
      }
      return size - left
    },
    async close() {
      await chunks.return(undefined)
    },
  }
}

/** Over content of which parts can be read: what is skipped costs nothing. */
export function cursorOn(content: SliceableContent): ByteCursor {
  let position = 0
  return {
    get position() {
      return position
    },
    async read(size) {
      const end = Math.min(position + size, content.size)
      const bytes = await readExactly(
        content.slice(position, end),
        end - position,
        'a part of the archive',
      )
      position = end
      return bytes
    },
    async skip(size) {
      const from = position
      position = Math.min(position + size, content.size)
      return position - from
    },
    close: async () => {},
  }
}
