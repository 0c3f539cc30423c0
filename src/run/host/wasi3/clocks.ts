import type { HostInterface, Stoppable } from '../../component/abi/items.ts'
import { createTimer, monotonicClock, monotonicNow, wallClock } from '../wasi/clocks.ts'
import { whenReady } from '../wasi/streams.ts'

const RESOLUTION = 1_000_000n

function waitFor(nanos: bigint): Stoppable<void> | void {
  const timer = createTimer(nanos)
  const done = whenReady(timer, () => undefined)
  return done instanceof Promise ? Object.assign(done, { stop: () => timer.drop?.() }) : done
}

/** `wasi:clocks` 0.3. */
export const clocks3: Readonly<Record<string, HostInterface>> = {
  'wasi:clocks/types': { functions: {} },
  'wasi:clocks/monotonic-clock': {
    functions: {
      ...monotonicClock.functions,
      'get-resolution': () => RESOLUTION,
      'wait-for': waitFor,
      'wait-until': (when: bigint) => waitFor(when - monotonicNow()),
    },
    waits: new Set(['wait-for', 'wait-until']),
  },
  'wasi:clocks/system-clock': {
    functions: { ...wallClock.functions, 'get-resolution': () => RESOLUTION },
  },
  'wasi:clocks/timezone': {
    functions: {
      'iana-id': () => 'UTC',
      'utc-offset': () => 0n,
      'to-debug-string': () => 'UTC',
    },
  },
}
