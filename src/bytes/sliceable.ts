import type { Content } from '../types.ts'
import { streamOf } from './stream.ts'

/** Content of which parts can be read without the rest. A `Blob` is one. */
export interface SliceableContent extends Content {
  slice(start: number, end: number): Content
}

export function sliceableOf(bytes: Uint8Array): SliceableContent {
  return {
    size: bytes.length,
    stream: () => streamOf(bytes),
    slice: (start, end) => {
      const part = bytes.subarray(start, end)
      return { size: part.length, stream: () => streamOf(part) }
    },
  }
}
