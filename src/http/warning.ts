import type { ServerWarning } from '../types.ts'
import { redactText } from './redact.ts'

/** A server that warns differently each time is not listened to for ever. */
const MAX_WARNINGS = 100

/**
 * Hands each warning on once. Only code 299 is a message to people, and the spec wants no other.
 * @see Distribution Spec 1.1, Warnings
 */
export function createWarner(
  onWarning: ((warning: ServerWarning) => void) | undefined,
  redact: (text: string) => string = (text) => text,
): (response: Response, url: URL) => void {
  const told = new Set<string>()
  return (response, url) => {
    const header = onWarning === undefined ? null : response.headers.get('warning')
    if (header === null) return
    for (const [, quoted = ''] of header
      .slice(0, 8192)
      .matchAll(/\b299 [^\s"]+ "((?:[^"\\]|\\.)*)"/g)) {
      const message = redactText(redact(quoted.replace(/\\(.)/g, '$1')))
      const key = `${url.host} ${message}`
      if (told.has(key) || told.size >= MAX_WARNINGS) continue
      told.add(key)
      onWarning?.({ host: url.host, message })
    }
  }
}
