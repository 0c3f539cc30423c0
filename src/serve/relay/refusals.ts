/** What the relay refuses, in a registry's words. */
import { tooLarge } from '../http/intake.ts'
import { Refusal } from '../http/refusal.ts'

export function denied(message: string): Refusal {
  return new Refusal(403, { code: 'DENIED', message })
}

export function unknownPath(): Refusal {
  return new Refusal(404, {
    code: 'UNSUPPORTED',
    message: 'not a path of this relay: they are /<prefix>/<registry host>/v2/…',
  })
}

export function wrongMethod(methods: readonly string[]): Refusal {
  const allow = methods.join(', ')
  return new Refusal(
    405,
    { code: 'UNSUPPORTED', message: `that can't be done here; ${allow} can` },
    { headers: { Allow: `${allow}, OPTIONS` } },
  )
}

export function expired(): Refusal {
  return new Refusal(503, { code: 'UNSUPPORTED', message: 'a token has run out: try again' })
}

export function tooLargeOrCut(error: unknown): Refusal {
  if (error instanceof Error && 'code' in error && error.code === 'ERR_LIMIT_EXCEEDED')
    return tooLarge(error)
  return new Refusal(
    400,
    { code: 'BLOB_UPLOAD_INVALID', message: 'the body ended early' },
    { cause: error },
  )
}

export function failed(): Refusal {
  return new Refusal(500, {
    code: 'UNSUPPORTED',
    message: 'the relay failed; its operator can see why',
  })
}
