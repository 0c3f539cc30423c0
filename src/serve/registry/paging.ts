import { Refusal } from '../http/refusal.ts'

/** Parses the parameter `n` of a list request. */
export function parsePageSize(url: URL): number | undefined {
  const text = url.searchParams.get('n')
  if (text === null) return undefined
  if (!/^\d{1,9}$/.test(text))
    throw new Refusal(400, {
      code: 'UNSUPPORTED',
      message: '"n" should be a non-negative integer',
    })
  return Number(text)
}

/** Formats the `Link` to the next page: the same request with changed parameters. @see RFC 5988 */
export function formatLink(url: URL, change: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(url.search)
  for (const [name, value] of Object.entries(change)) query.set(name, value)
  return `<${url.pathname}?${query.toString()}>; rel="next"`
}
