import type { Label } from '../../bindle/invoice.ts'
import { formatHex } from '../../bytes/hex.ts'
import { chunksOf } from '../../bytes/stream.ts'
import type { CreateHasher, Digest } from '../../types.ts'
import { holdGeneration, readGeneration } from '../storage/generation.ts'
import type { Storage, StoredValue } from '../storage/port.ts'
import { BindleProblem } from './answer.ts'

/**
 * Stored parcels, each once for all invoices.
 *
 * A parcel that is pushed again after a garbage collection is another generation, under another key that
 * ends in `.1`, `.2` …, so that a late deletion does not affect it. @see generation.ts
 */
export interface Parcels {
  /**
   * Whether a parcel exists. If so, it is kept as long as an invoice lists it: call this after writing the
   * invoice.
   */
  readonly hold: (sha256: string) => Promise<boolean>
  readonly get: (sha256: string) => Promise<StoredValue | undefined>
  /** @throws 400 when the bytes do not match the label, 409 when the parcel exists. */
  readonly put: (label: Label, body: ReadableStream<Uint8Array>) => Promise<void>
}

export const PARCELS_PREFIX = 'bindle/parcels/'

/** Creates the parcels over a storage. */
export function createParcels(storage: Storage, createHasher: CreateHasher): Parcels {
  const heldKey = async (sha256: string): Promise<string> =>
    parcelKey(sha256, await holdGeneration(storage, parcelGenerationKey(sha256)))
  const exists = async (key: string): Promise<boolean> => (await storage.head(key)) !== undefined

  return {
    hold: async (sha256) => exists(await heldKey(sha256)),
    async get(sha256) {
      const first = await storage.get(parcelKey(sha256))
      if (first !== undefined) return first
      const { number } = await readGeneration(storage, parcelGenerationKey(sha256))
      return number === 0 ? undefined : storage.get(parcelKey(sha256, number))
    },
    async put(label, body) {
      const key = await heldKey(label.sha256)
      if (await exists(key)) {
        await body.cancel().catch(() => {})
        throw new BindleProblem(409, 'resource already exists')
      }
      const result = await storage.put(key, checked(body, label, createHasher), {
        ifAbsent: true,
        size: label.size,
      })
      if (!result.stored) throw new BindleProblem(409, 'resource already exists')
    },
  }
}

/** The client disconnected: an error of the client, not of the server. */
function endedEarly(): never {
  throw new BindleProblem(400, 'the parcel ended early and was discarded: send it again')
}

function parcelKey(sha256: string, generation = 0): string {
  return `${PARCELS_PREFIX}${sha256}${generation === 0 ? '' : `.${generation}`}`
}

/** Parses the key of a parcel; `undefined` for any other key. */
export function parseParcelKey(key: string): { digest: Digest; generation: number } | undefined {
  const match = /\/([0-9a-f]{64})(?:\.([1-9]\d{0,9}))?$/.exec(key)
  return match === null
    ? undefined
    : { digest: `sha256:${match[1]!}`, generation: Number(match[2] ?? 0) }
}

export function parcelGenerationKey(sha256: string): string {
  return `bindle/generations/${sha256}`
}

/** Forwards a parcel's bytes; errors before the end, so that nothing is stored, if they do not match the label. */
function checked(
  body: ReadableStream<Uint8Array>,
  label: Label,
  createHasher: CreateHasher,
): ReadableStream<Uint8Array> {
  const hasher = createHasher('sha256')
  const chunks = chunksOf(body)
  let seen = 0
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await chunks.next().catch(endedEarly)
          if (done !== true) {
            seen += value.length
            if (seen > label.size)
              throw new BindleProblem(400, 'parcel size does not match invoice')
            await hasher.update(value)
            controller.enqueue(value)
            return
          }
          if (seen !== label.size)
            throw new BindleProblem(400, 'parcel size does not match invoice')
          if (formatHex(await hasher.digest()) !== label.sha256)
            throw new BindleProblem(400, 'digest does not match')
          controller.close()
        } catch (error) {
          await chunks.return(undefined)
          controller.error(error)
        }
      },
      cancel: async () => void (await chunks.return(undefined)),
    },
    { highWaterMark: 0 },
  )
}
