const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/**
 * Milliseconds that a server asks to wait before the next request.
 *
 * From `Retry-After`, in seconds or as a date; else from GHCR's message, as a Go duration:
 * `retry-after: 10.487765ms, allowed: 2000/minute`.
 * @see RFC 9110, 10.2.3
 */
export function parseRetryAfter(header: string | null, body = ''): number | undefined {
  const value = header?.trim() ?? ''
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const date = value === '' ? NaN : Date.parse(value)
  if (!Number.isNaN(date)) return Math.max(0, date - Date.now())
  const said = /retry-after:\s*((?:\d{1,12}(?:\.\d{1,12})?(?:ns|us|µs|ms|s|m|h)){1,8})/i.exec(
    body,
  )?.[1]
  if (said === undefined) return undefined
  let sum = 0
  for (const [, count, unit] of said.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g))
    sum += Number(count) * (UNITS[unit!] ?? 0)
  return Math.ceil(sum)
}
