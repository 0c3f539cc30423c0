import { whenAborted } from '../../bytes/abort.ts'
import { createSlots } from '../../run/slots.ts'

/** Connections of a limited number. */
interface Places {
  /**
   * Waits for one, `timeout` milliseconds at most. Rejects with the signal's reason, or as `fetch`
   * with a cause that has a code. Gives what releases it, which has an effect once.
   */
  take(signal: AbortSignal, timeout: number): Promise<() => void>
}

export function createPlaces(limit: number): Places {
  if (!Number.isInteger(limit) || limit < 0)
    throw new TypeError(`"maxConnections" must be an integer of 0 or more, not ${limit}`)
  const slots = createSlots(limit)
  return {
    take: (signal, timeout) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        if (limit === 0)
          throw failure('ERR_CONNECTION_LIMIT', 'no connections are allowed (maxConnections: 0)')
        const stop = (): void => {
          clearTimeout(timer)
          stopWaiting()
        }
        let isHeld = true
        const leave = slots.take(() => {
          // Called immediately if a slot is free, before the timer exists.
          queueMicrotask(stop)
          resolve(() => {
            if (isHeld) slots.give()
            isHeld = false
          })
        })
        const timer = setTimeout(() => {
          if (!leave()) return
          stop()
          reject(failure('ETIMEDOUT', `all ${limit} connections were in use for ${timeout} ms`))
        }, timeout)
        const stopWaiting = whenAborted(signal, () => {
          clearTimeout(timer)
          if (leave()) reject(signal.reason)
        })
      }),
  }
}

function failure(code: string, message: string): TypeError {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(message), { code }) })
}
