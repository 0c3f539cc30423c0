import type { FileHandle } from 'node:fs/promises'
import { concat } from '../bytes/stream.ts'

/** Bytes gathered for one write: a write per chunk of a download took a third of its time (measured). */
const GATHERED = 512 * 1024

/**
 * Writes chunks to a file one after another, and asks for the next ones while earlier ones are
 * written: two times `GATHERED` are held at most.
 *
 * @returns How many bytes were written.
 */
export async function writeChunks(
  file: FileHandle,
  chunks: AsyncIterable<Uint8Array>,
): Promise<number> {
  let total = 0
  let held: Uint8Array[] = []
  let size = 0
  let writing: Promise<void> = Promise.resolve()
  const flush = async (): Promise<void> => {
    const [pieces, length] = [held, size]
    held = []
    size = 0
    await writing
    writing = writeAll(file, pieces, length)
    // Looked at when the next one is due; until then it is no unhandled one.
    writing.catch(() => {})
  }
  try {
    for await (const chunk of chunks) {
      if (chunk.length === 0) continue
      held.push(chunk)
      size += chunk.length
      total += chunk.length
      if (size >= GATHERED) await flush()
    }
    if (size > 0) await flush()
  } catch (error) {
    // The caller closes the file: nothing may be under way then.
    await writing.catch(() => {})
    throw error
  }
  await writing
  return total
}

async function writeAll(
  file: FileHandle,
  pieces: readonly Uint8Array[],
  length: number,
): Promise<void> {
  const { bytesWritten } = await file.writev(pieces)
  // Signals and full pipes make short writes.
  if (bytesWritten < length) await file.writeFile(concat(pieces, length).subarray(bytesWritten))
}
