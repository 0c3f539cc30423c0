import { blankUnseen } from '../bytes/visible.ts'

/**
 * A URL for messages: without user-info, query and fragment. Redirects to storage contain
 * signatures
 * there, upload locations session state.
 */
export function redactUrl(url: URL | string): string {
  const { origin, pathname, search } = new URL(url)
  return `${origin}${pathname}${search === '' ? '' : '?…'}`
}

/** A JSON Web Token, or a prefix of one. */
const TOKEN = /\beyJ[\w-]{4,}(?:\.[\w-]*){0,2}/g

/**
 * A server's text for messages: without anything that looks like a secret, and without control
 * characters. Secrets that were sent are removed before: see `createSecrets`.
 */
export function redactText(text: string, limit = 300): string {
  // Before the text is truncated: a part of a token is a secret too.
  const clean = blankUnseen(text.replace(TOKEN, '…').slice(0, limit * 4))
    .replace(/(https?:\/\/)[^\s/"'@]*@/gi, '$1')
    .replace(/(https?:\/\/[^\s?"']*)\?[^\s"']*/gi, '$1?…')
    .replace(/\b(bearer|basic)\s+[\w+/.~=-]{6,}/gi, '$1 …')
    .replace(
      /\b(password|secret|authorization|[a-z_]*token)(["']?\s*[=:]\s*["']?)[^\s"',&]{4,}/gi,
      '$1$2…',
    )
    .trim()
  return clean.length > limit ? `${clean.slice(0, limit)}…` : clean
}
