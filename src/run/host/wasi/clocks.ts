import type { HostInterface } from '../../component/abi/items.ts'
import { MAX_TIMER } from '../../../http/timing.ts'
import { READY, type Pollable } from './streams.ts'

const NANOS = 1_000_000n

export function monotonicNow(): bigint {
  return BigInt(Math.round(performance.now() * 1e6))
}

export function createTimer(nanos: bigint): Pollable {
  if (nanos <= 0n) return READY
  const end = monotonicNow() + nanos
  // Ready by the clock or after the wait: on Cloudflare Workers the clock does not advance while a guest runs.
  let waited = false
  let waiting: Promise<void> | undefined
  let drop = (): void => {}
  return {
    ready: () => waited || monotonicNow() >= end,
    // One timer for all calls: a guest can poll it repeatedly.
    wait: () =>
      (waiting ??= new Promise((resolve) => {
        const left = Number((end - monotonicNow()) / NANOS) + 1
        const settle = (isOver: boolean): void => {
          waited = isOver
          waiting = undefined
          resolve()
        }
        const timer = setTimeout(
          () => settle(left <= MAX_TIMER),
          Math.min(Math.max(left, 0), MAX_TIMER),
        )
        drop = () => {
          clearTimeout(timer)
          settle(true)
        }
      })),
    drop: () => drop(),
  }
}

function datetime(): { seconds: bigint; nanoseconds: number } {
  const now = Date.now()
  return { seconds: BigInt(Math.floor(now / 1000)), nanoseconds: (now % 1000) * 1_000_000 }
}

export const monotonicClock: HostInterface = {
  functions: {
    now: monotonicNow,
    resolution: () => NANOS,
    'subscribe-instant': (when: bigint) => createTimer(when - monotonicNow()),
    'subscribe-duration': createTimer,
    // From the October 2023 draft.
    subscribe: (when: bigint, absolute: boolean) =>
      createTimer(absolute ? when - monotonicNow() : when),
  },
}

export const wallClock: HostInterface = {
  functions: { now: datetime, resolution: () => ({ seconds: 0n, nanoseconds: Number(NANOS) }) },
}

export const timezone: HostInterface = {
  functions: {
    display: () => ({ utcOffset: 0, name: 'UTC', inDaylightSavingTime: false }),
    'utc-offset': () => 0,
  },
}
