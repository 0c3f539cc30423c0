/** Error responses of the relay, in the format of a registry. */
import { tooLarge } from '../http/intake.ts'
import { Refusal } from '../http/refusal.ts'

export function denied(message: string): Refusal {
  return new Refusal(403, { code: 'DENIED', message })
}

export function unknownPath(): Refusal {
  return new Refusal(404, {
    code: 'UNSUPPORTED',
    message: 'not a path of this relay: its paths are /<prefix>/<registry host>/v2/…',
  })
}

/** 503 when the relay's own token expired during an upload. */
export function expired(): Refusal {
  return new Refusal(503, {
    code: 'UNSUPPORTED',
    message: "the relay's token for the registry has expired: try again",
  })
}

/** Converts the error of an incoming body: 413 above the limit, 400 otherwise. */
export function tooLargeOrCut(error: unknown): Refusal {
  if (error instanceof Error && 'code' in error && error.code === 'ERR_LIMIT_EXCEEDED')
    return tooLarge(error)
  return new Refusal(
    400,
    { code: 'BLOB_UPLOAD_INVALID', message: 'the body ended early: send it again' },
    { cause: error },
  )
}

export function failed(): Refusal {
  return new Refusal(500, {
    code: 'UNSUPPORTED',
    message: 'internal error of the relay: ask its operator',
  })
}
