import { constants } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { chunksOf, openStream } from '../../bytes/stream.ts'
import { SpindleError } from '../../errors.ts'
import { createValueSizeCheck, type StorageBody } from '../../serve/storage/port.ts'
import { HASHED_BYTES, isSame, makeUnique, readPiece } from '../files/file-version.ts'
import type { FileFacts } from '../files/file-version.ts'
import { retryWithFolder } from '../files/folders.ts'
import { codeOf } from '../files/system-error.ts'
import { withDescriptor } from '../files/descriptors.ts'

const { O_APPEND, O_WRONLY } = constants

/** Bytes read or written while a file is open. */
const PIECE = 1024 * 1024

/** Files, few of them open at once, and none while a peer is waited for. */
interface StorageFiles {
  /** Lets so many at a time do something that takes a descriptor. */
  readonly gate: <T>(work: () => Promise<T>) => Promise<T>
  readonly withFile: <T>(
    path: string,
    flags: string | number,
    work: (file: FileHandle) => Promise<T>,
  ) => Promise<T>
  /** The bytes from one place to another of a file that is as it was seen. */
  readonly read: (
    path: string,
    seen: FileFacts,
    from: number,
    end: number,
  ) => ReadableStream<Uint8Array>
  /** All bytes of a body into a new file; nothing is left of it on failure. */
  readonly write: (path: string, body: StorageBody, size: number | undefined) => Promise<void>
}

export function createStorageFiles(options: {
  maxOpenFiles: number
  durable: boolean
}): StorageFiles {
  const gate = createGate(options.maxOpenFiles)

  const withFile: StorageFiles['withFile'] = (path, flags, work) =>
    gate(async () => {
      const file = await withDescriptor(() => open(path, flags))
      try {
        return await work(file)
      } finally {
        await file.close()
      }
    })

  return {
    gate,
    withFile,

    // Reopened for each piece, so that slow readers hold no descriptors.
    read(path, seen, from, end) {
      let at = from
      return new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            if (at >= end) return controller.close()
            const bytes = await withFile(path, 'r', async (file) => {
              // Another value under the same name must not be spliced into this one.
              if (!isSame(await file.stat({ bigint: true }), seen)) throw changed(path)
              return readPiece(file, at, Math.min(PIECE, end - at))
            }).catch((error: unknown) => {
              throw codeOf(error) === 'ENOENT' ? changed(path, error) : error
            })
            if (bytes.length === 0) throw changed(path)
            at += bytes.length
            controller.enqueue(bytes)
            if (at >= end) controller.close()
          },
        },
        { highWaterMark: 0 },
      )
    },

    async write(path, body, size) {
      let begun = false
      const write = async (bytes: readonly Uint8Array[]): Promise<void> => {
        const append = (): Promise<void> =>
          withFile(path, begun ? O_WRONLY | O_APPEND : 'ax', async (file) => {
            for (const chunk of bytes) await file.appendFile(chunk)
          })
        // Made once: if it is swept while a sender pauses for hours, its beginning must not go missing silently.
        await (begun ? append() : retryWithFolder(path, append))
        begun = true
      }
      try {
        const check = createValueSizeCheck(size)
        let total = 0
        let held: Uint8Array[] = []
        let heldBytes = 0
        for await (const chunk of chunksOf(openStream(body))) {
          held.push(chunk)
          heldBytes += chunk.length
          total += chunk.length
          check.add(chunk.length)
          if (heldBytes < PIECE) continue
          await write(held)
          held = []
          heldBytes = 0
        }
        check.end()
        if (total === 0 || held.length > 0) await write(held)
        if (total > HASHED_BYTES) await makeUnique(path)
        if (options.durable) await withFile(path, 'r+', (file) => file.sync())
      } catch (error) {
        await unlink(path).catch(() => {})
        throw error
      }
    },
  }
}

function changed(path: string, cause?: unknown): SpindleError {
  return new SpindleError('ERR_CONFLICT', `${path} was removed or replaced while it was read`, {
    cause,
  })
}

/** Lets so many calls in at once; the others wait in line. */
function createGate(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  if (!Number.isInteger(limit) || limit < 1)
    throw new TypeError(`"maxOpenFiles" must be a positive integer, not ${limit}`)
  let inside = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (inside >= limit) await new Promise<void>((resolve) => waiting.push(resolve))
    else inside++
    try {
      return await work()
    } finally {
      // A place is handed on, not freed: a newcomer must not slip in before those who wait.
      const next = waiting.shift()
      if (next === undefined) inside--
      else next()
    }
  }
}
