import { Refusal } from '../http/refusal.ts'

const WINDOW = 60_000
/** Most users with their own count per minute. Further users share one: evicting users would reset their limit. */
const MAX_USERS = 10_000

/** Limits the requests of each user per calendar minute. The returned function throws 429 above the limit. */
export function createRateLimit(perMinute: number): (user: string) => void {
  let window = 0
  let counts = new Map<string, number>()
  return (user) => {
    const now = Date.now()
    const current = Math.floor(now / WINDOW)
    if (current !== window) {
      window = current
      counts = new Map()
    }
    const key = counts.size < MAX_USERS || counts.has(user) ? user : ''
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    if (count <= perMinute) return
    const seconds = Math.ceil(((current + 1) * WINDOW - now) / 1000)
    throw new Refusal(
      429,
      {
        code: 'TOOMANYREQUESTS',
        message: `more than ${perMinute} requests per minute: try again in ${seconds} s`,
      },
      { headers: { 'Retry-After': String(seconds) } },
    )
  }
}
