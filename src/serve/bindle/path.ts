import { type BindleId, parseBindleId } from '../../bindle/id.ts'
import { BindleProblem, NOT_FOUND } from './answer.ts'

/** A parsed path. */
export type BindleTarget =
  | { readonly kind: 'health' | 'invoices' | 'query' | 'keys' | 'login' | 'unknown' }
  | { readonly kind: 'invoice'; readonly id: BindleId }
  | { readonly kind: 'missing'; readonly id: BindleId }
  | { readonly kind: 'parcel'; readonly id: BindleId; readonly sha256: string }

/**
 * Parses the raw path below the base path.
 *
 * Splits before decoding, so that encoded and literal `+`, `@` and non-ASCII characters are equal, and an
 * encoded slash never separates segments.
 */
export function parsePath(pathname: string, base: string): BindleTarget {
  if (pathname === '/healthz') return { kind: 'health' }
  if (!pathname.startsWith(`${base}/`)) return { kind: 'unknown' }
  const path = pathname.slice(base.length + 1)
  if (path === '_i' || path === '_i/') return { kind: 'invoices' }
  if (path === '_q') return { kind: 'query' }
  if (path === 'bindle-keys') return { kind: 'keys' }
  if (path === 'login') return { kind: 'login' }
  if (path.startsWith('_r/missing/'))
    return { kind: 'missing', id: decodeId(path.slice('_r/missing/'.length)) }
  if (!path.startsWith('_i/')) return { kind: 'unknown' }
  const [id = '', sha256, ...more] = path.slice('_i/'.length).replaceAll(/%40/gi, '@').split('@')
  if (more.length > 0)
    throw new BindleProblem(400, 'Invalid URL. Missing Bindle ID and/or parcel SHA')
  if (sha256 === undefined) return { kind: 'invoice', id: decodeId(id) }
  return { kind: 'parcel', id: decodeId(id), sha256 }
}

function decodeId(raw: string): BindleId {
  // An encoded slash would decode to another name.
  if (/%2f/i.test(raw)) throw new BindleProblem(404, NOT_FOUND)
  try {
    const segments = raw.split('/').map(decodeURIComponent)
    return parseBindleId(segments.join('/'))
  } catch {
    throw new BindleProblem(400, 'invalid ID given')
  }
}
