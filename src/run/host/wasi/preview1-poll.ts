import { createTimer, monotonicNow } from './clocks.ts'
import { ERRNO, type GuestMemory } from './preview1-memory.ts'

// Subscriptions per call.
const MAX_SUBSCRIPTIONS = 4096

type Poll = (from: number, to: number, count: number, out: number) => number | Promise<number>

/** `poll_oneoff`. Files are always ready; with clocks only, the guest waits if the engine supports it (JSPI). */
export function createPoll({ data, bytes, u32, u64 }: GuestMemory): Poll {
  return (from, to, count, out) => {
    if (count >>> 0 === 0 || count >>> 0 > MAX_SUBSCRIPTIONS) return ERRNO.inval
    const view = data()
    const started = monotonicNow()
    const subscriptions = Array.from({ length: count >>> 0 }, (_, i) => {
      const at = (from >>> 0) + i * 48
      const tag = view.getUint8(at + 8)
      if (tag !== 0) return { id: view.getBigUint64(at, true), tag, due: 0n }
      const timeout = view.getBigUint64(at + 24, true)
      const now = view.getUint32(at + 16, true) === 0 ? BigInt(Date.now()) * 1_000_000n : started
      return {
        id: view.getBigUint64(at, true),
        tag,
        due: (view.getUint16(at + 40, true) & 1) === 0 ? timeout : timeout - now,
      }
    })
    const first = subscriptions.reduce(
      (least, { due }) => (due < least ? due : least),
      subscriptions[0]?.due ?? 0n,
    )
    const report = (): number => {
      const ready = subscriptions.filter(({ due }) => due <= first || due <= 0n)
      ready.forEach(({ id, tag }, i) => {
        const event = (to >>> 0) + i * 32
        bytes(event, 32).fill(0)
        u64(event, id)
        data().setUint8(event + 10, tag)
        if (tag !== 0) u64(event + 16, 1n)
      })
      u32(out, ready.length)
      return ERRNO.success
    }
    if (first <= 0n) return report()
    const timer = createTimer(first)
    return timer.wait().then(report)
  }
}
