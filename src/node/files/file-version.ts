import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { utimes } from 'node:fs/promises'
import type { StoredHead } from '../../serve/storage/port.ts'

/** Up to this size a value's etag is its hash; above it, what the file system says of the file. */
export const HASHED_BYTES = 4096

/** Identifies a version of a file. */
export interface FileFacts {
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly mtimeMs: bigint
}

export function headOf(key: string, facts: FileFacts, bytes: Uint8Array | undefined): StoredHead {
  const size = Number(facts.size)
  const hashed = bytes !== undefined && size <= HASHED_BYTES
  const etag = hashed
    ? createHash('sha256').update(bytes).digest('hex')
    : `${facts.ino}-${facts.mtimeNs}-${size}`
  return { key, size, modified: Number(facts.mtimeMs), etag }
}

export function isSame(now: FileFacts, before: FileFacts): boolean {
  return now.ino === before.ino && now.size === before.size && now.mtimeNs === before.mtimeNs
}

/** Clocks of file systems tick in milliseconds and inodes are used again: a random rest makes etags differ. */
export async function makeUnique(path: string): Promise<void> {
  const now = (Date.now() + Math.random()) / 1000
  await utimes(path, now, now)
}

export async function readPiece(
  file: FileHandle,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length)
  let at = 0
  while (at < length) {
    const { bytesRead } = await file.read(bytes, at, length - at, position + at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return bytes.subarray(0, at)
}
