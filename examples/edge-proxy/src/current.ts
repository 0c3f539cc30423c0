import type { Descriptor } from 'spindle/store'

/** What a reference means, and when that was last seen. */
export interface Current {
  readonly descriptor: Descriptor
  /** Milliseconds since 1970. */
  readonly checked: number
}

export interface Memory {
  read(): Promise<Current | undefined>
  write(current: Current): Promise<void>
}

export interface CurrentOptions {
  /** Whether it names a digest: that is never looked up again. */
  readonly pinned: boolean
  readonly ttl: number
  readonly stale: number
  readonly memory: Memory
  /** Asks the registry. */
  readonly look: () => Promise<Descriptor>
  /** Verifies and fetches what is new; until it resolves, what was before goes on answering. */
  readonly prepare: (descriptor: Descriptor) => Promise<void>
  readonly onLook: (result: 'same' | 'moved' | 'failed', error?: unknown) => void
}

/** Milliseconds after a failure for which the registry is left alone. */
const PAUSE = 5000

/**
 * What answers now: at once while it is fresh; when it is not, still at once, and looked up behind
 * the request's back. Only the very first request, that nothing is remembered for, waits.
 */
export function createCurrent(options: CurrentOptions) {
  const { pinned, ttl, stale, memory, look, prepare, onLook } = options
  let known: Current | undefined
  let reading: Promise<Current | undefined> | undefined
  let looking: Promise<Current> | undefined
  let failed: { readonly at: number; readonly error: unknown } | undefined

  const lookUp = async (): Promise<Current> => {
    try {
      const descriptor = await look()
      const moved = known?.descriptor.digest !== descriptor.digest
      if (moved) await prepare(descriptor)
      const current = { descriptor, checked: Date.now() }
      known = current
      failed = undefined
      onLook(moved ? 'moved' : 'same')
      await memory.write(current).catch(() => {})
      return current
    } catch (error) {
      failed = { at: Date.now(), error }
      onLook('failed', error)
      throw error
    }
  }
  const lookUpOnce = (): Promise<Current> => {
    looking ??= lookUp().finally(() => (looking = undefined))
    return looking
  }
  const rests = (): boolean => failed !== undefined && Date.now() - failed.at < PAUSE

  return {
    /** Without asking anybody. */
    peek: (): Current | undefined => known,
    /** Rejects when nothing may answer, with the reason of the last failure. */
    async get(waitUntil: (work: Promise<unknown>) => void): Promise<Current> {
      // Once: all requests of a cold instance wait for one reading.
      reading ??= memory.read().catch(() => undefined)
      known ??= await reading
      const current = known
      if (current === undefined) {
        if (rests()) throw failed!.error
        return lookUpOnce()
      }
      const age = Date.now() - current.checked
      if (pinned || age <= ttl) return current
      if (age > ttl + stale) {
        if (rests()) throw failed!.error
        return lookUpOnce()
      }
      if (!rests()) waitUntil(lookUpOnce().catch(() => {}))
      return current
    },
  }
}

export type CurrentReference = ReturnType<typeof createCurrent>
