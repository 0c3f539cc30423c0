import type { ServerWarning } from '../types.ts'
import { redactText } from './redact.ts'

/** Most distinct warnings of one transport. */
const MAX_WARNINGS = 100

/**
 * Reports each distinct warning once. Only code 299 is read: the specification allows no other.
 * @see Distribution Spec 1.1, Warnings
 */
export function createWarner(
  onWarning: ((warning: ServerWarning) => void) | undefined,
  redact: (text: string) => string = (text) => text,
): (response: Response, url: URL) => void {
  const reported = new Set<string>()
  return (response, url) => {
    const header = onWarning === undefined ? null : response.headers.get('warning')
    if (header === null) return
    for (const [, quoted = ''] of header
      .slice(0, 8192)
      .matchAll(/\b299 [^\s"]+ "((?:[^"\\]|\\.)*)"/g)) {
      const message = redactText(redact(quoted.replace(/\\(.)/g, '$1')))
      const key = `${url.host} ${message}`
      if (reported.has(key) || reported.size >= MAX_WARNINGS) continue
      reported.add(key)
      onWarning?.({ host: url.host, message })
    }
  }
}
