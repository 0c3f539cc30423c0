import { Refusal } from '../http/refusal.ts'

/** `n` of a list request; `undefined` when the client leaves it to the registry. */
export function parsePageSize(url: URL): number | undefined {
  const text = url.searchParams.get('n')
  if (text === null) return undefined
  if (!/^\d{1,9}$/.test(text))
    throw new Refusal(400, { code: 'UNSUPPORTED', message: '"n" must be a number from 0 on' })
  return Number(text)
}

/** The rest of a list, as RFC 5988 wants it: the same request, begun after the last entry. */
export function formatLink(url: URL, change: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(url.search)
  for (const [name, value] of Object.entries(change)) query.set(name, value)
  return `<${url.pathname}?${query.toString()}>; rel="next"`
}
