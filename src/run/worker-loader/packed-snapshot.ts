import { concat } from '../../bytes/stream.ts'
import type { AppHandlerOptions } from '../handler/app-handler-options.ts'
import type { AppOutline, AppSnapshot } from '../app/app-snapshot.ts'

/** Offset and length in the content, in bytes. */
type Place = readonly [offset: number, length: number]

/** An application as JSON beside one block of bytes: a Worker has a module each, however many files. */
interface PackedSnapshot {
  readonly outline: AppOutline
  readonly wasm: ReadonlyArray<readonly [id: string, place: Place]>
  readonly files: ReadonlyArray<
    readonly [id: string, entries: ReadonlyArray<readonly [path: string, place: Place]>]
  >
}

/** The JSON description of an application that a Worker reads before it starts. */
export interface WorkerDescription {
  readonly app: PackedSnapshot
  readonly options: Pick<AppHandlerOptions, 'timeout' | 'concurrency' | 'maxMemory'>
}

export function packSnapshot({ outline, wasm, files }: AppSnapshot): {
  readonly packed: PackedSnapshot
  readonly content: Uint8Array
} {
  const chunks: Uint8Array[] = []
  let size = 0
  const keep = (bytes: Uint8Array): Place => {
    chunks.push(bytes)
    const offset = size
    size += bytes.length
    return [offset, bytes.length]
  }
  const place = (entries: ReadonlyMap<string, Uint8Array>): Array<readonly [string, Place]> =>
    Array.from(entries, ([name, bytes]) => [name, keep(bytes)] as const)
  const packed = {
    outline,
    wasm: place(wasm),
    files: Array.from(files, ([id, entries]) => [id, place(entries)] as const),
  }
  return { packed, content: concat(chunks, size) }
}

export function unpackSnapshot(
  { outline, wasm, files }: PackedSnapshot,
  content: Uint8Array,
): AppSnapshot {
  const read = (entries: ReadonlyArray<readonly [string, Place]>): Map<string, Uint8Array> =>
    new Map(
      entries.map(([name, [offset, length]]) => [name, content.subarray(offset, offset + length)]),
    )
  return {
    outline,
    wasm: read(wasm),
    files: new Map(files.map(([id, entries]) => [id, read(entries)])),
  }
}
