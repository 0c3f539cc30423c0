/**
 * Errors that Spindle rejects with.
 *
 * Every one has a `code` to switch on, says which side failed, what to do next, and keeps its
 * `cause`. Wrong arguments are plain `TypeError`s; aborts reject with `signal.reason` itself.
 */

/** What went wrong, for a `switch`: each code with when it arises and what to do. */
export type ErrorCode =
  /** The reference can't be parsed. Correct the part that the message names. */
  | 'ERR_REFERENCE_INVALID'
  /**
   * The application has errors, mostly in `spin.toml`. Correct them; `AppInvalid` lists all as
   * `findings`.
   */
  | 'ERR_APP_INVALID'
  /** A named file does not exist. Add it or correct the path. */
  | 'ERR_FILE_MISSING'
  /** More bytes or entries than allowed. Raise the option in `remedy` if the source is trusted. */
  | 'ERR_LIMIT_EXCEEDED'
  /** Bytes differ from their digest or size. Retry or use another source; nothing was kept. */
  | 'ERR_DIGEST_MISMATCH'
  /** Content is not in the format it claims. Push the artifact again. */
  | 'ERR_CONTENT_INVALID'
  /**
   * No such tag, manifest, blob or repository. Check the reference; some registries answer this
   * without read access.
   */
  | 'ERR_NOT_FOUND'
  /** The server refuses the credentials. Log in or ask for access. */
  | 'ERR_UNAUTHORIZED'
  /** Stored credentials are malformed. Log in again; there is no fallback to anonymous access. */
  | 'ERR_CREDENTIALS_INVALID'
  /** The server has other content under that name. Choose another tag or version. */
  | 'ERR_CONFLICT'
  /** Any other unexpected answer. Read the message; `ResponseError` has `status` and `details`. */
  | 'ERR_RESPONSE'
  /** No answer; in a page, also a registry without CORS. Check the host. */
  | 'ERR_NETWORK'
  /** No answer in time. Retry or raise `timeout`. */
  | 'ERR_TIMEOUT'
  /** A signature does not verify. Do not use the artifact. */
  | 'ERR_SIGNATURE_INVALID'
  /**
   * A policy refuses: no signature satisfies it, or a component may not reach a host.
   * `PolicyRejected` lists the signatures as `rejected`.
   */
  | 'ERR_POLICY_REJECTED'
  /** This runtime or server can't do it. The message names what can. */
  | 'ERR_UNSUPPORTED'
  /** A component crashed. Read its log. */
  | 'ERR_TRAP'

/** Longest message in characters: some quote what a server or an artifact says, which has megabytes. */
const MAX_MESSAGE_CHARS = 65_536

/** An option of the call that gets past an error, such as a limit to raise. */
export interface Remedy {
  /** Name of the option, as in `maxBytes`. A command line maps it to its flag. */
  readonly option: string
  /** What to do about it, with `%` in place of the option's name. */
  readonly advice: string
}

/** The base of all errors of this library. Exported from the main entry point and `spindle/errors`. */
export class SpindleError extends Error {
  override readonly name: string = 'SpindleError'
  readonly code: ErrorCode
  /** The message without the advice of `remedy`. */
  readonly problem: string
  /** The option that gets past this error; the message names it too. */
  readonly remedy?: Remedy

  constructor(code: ErrorCode, said: string, options?: { cause?: unknown; remedy?: Remedy }) {
    const remedy = options?.remedy
    const problem = said.length > MAX_MESSAGE_CHARS ? `${said.slice(0, MAX_MESSAGE_CHARS)}…` : said
    super(
      remedy === undefined ? problem : `${problem}: ${adviceOf(remedy, `"${remedy.option}"`)}`,
      options,
    )
    this.code = code
    this.problem = problem
    if (remedy !== undefined) this.remedy = remedy
  }
}

/** The advice of a remedy, with the option by the name that the reader knows it by. */
export function adviceOf({ advice }: Remedy, name: string): string {
  return advice.replace('%', () => name)
}

/** One entry of a registry's `errors` array. @see OCI Distribution Spec 1.1, Error Codes */
export interface ResponseDetail {
  readonly code: string
  readonly message?: string
  readonly detail?: unknown
}

/** A server answered, but not with what was asked for. */
export class ResponseError extends SpindleError {
  override readonly name: string = 'ResponseError'
  readonly status: number
  readonly method: string
  /** Query values and user-info removed: redirects carry signatures there. */
  readonly url: string
  readonly details: readonly ResponseDetail[]
  /** Milliseconds that the server asked to wait before the next attempt. */
  readonly retryAfter?: number

  constructor(
    code: ErrorCode,
    message: string,
    response: {
      status: number
      method: string
      url: string
      details?: readonly ResponseDetail[]
      retryAfter?: number
    },
    options?: { cause?: unknown; remedy?: Remedy },
  ) {
    super(code, message, options)
    this.status = response.status
    this.method = response.method
    this.url = response.url
    this.details = response.details ?? []
    if (response.retryAfter !== undefined) this.retryAfter = response.retryAfter
  }
}

/** Something said about one place of a file. Lines and columns count from 1. */
export interface Finding {
  /** Kebab-case, stable; for filtering. */
  readonly code: string
  readonly message: string
  /** Path of the file in the application's tree. */
  readonly path: string
  readonly line?: number
  readonly column?: number
  /** The lines around the place with a caret under it. */
  readonly frame?: string
}

/** An application that can't be loaded; `findings` has all reasons, not just the first. */
export class AppInvalid extends SpindleError {
  override readonly name: string = 'AppInvalid'
  readonly findings: readonly Finding[]

  constructor(findings: readonly Finding[], options?: { cause?: unknown }) {
    super('ERR_APP_INVALID', findings.map(formatFinding).join('\n'), options)
    this.findings = findings
  }
}

/** Which check a signature failed. The names follow the order of checks, see `trust/`. */
export type SignatureReason =
  | 'BUNDLE_MALFORMED'
  | 'BUNDLE_UNSUPPORTED_VERSION'
  | 'UNSUPPORTED_ALGORITHM'
  | 'SIGNATURE_INVALID'
  | 'DIGEST_MISMATCH'
  | 'FORMAT_MISMATCH'
  | 'PAYLOAD_TYPE'
  | 'PREDICATE_TYPE'
  | 'ANNOTATION_MISMATCH'
  | 'REFERENCE_MISMATCH'
  | 'KEY_MISMATCH'
  | 'CERT_CHAIN'
  | 'CERT_TIME'
  | 'SCT_MISSING'
  | 'SCT_INVALID'
  | 'IDENTITY_MISMATCH'
  | 'ISSUER_MISMATCH'
  | 'EXTENSION_MISMATCH'
  | 'TLOG_MISSING'
  | 'TLOG_UNKNOWN_LOG'
  | 'TLOG_SET_INVALID'
  | 'TLOG_PROOF_INVALID'
  | 'TLOG_CHECKPOINT_INVALID'
  | 'TLOG_ENTRY_MISMATCH'
  | 'TIMESTAMP_MISSING'
  | 'TIMESTAMP_INVALID'
  | 'TRUST_ROOT_INVALID'

/** One signature was examined and is no proof; `reason` says which check it failed. */
export class SignatureInvalid extends SpindleError {
  override readonly name: string = 'SignatureInvalid'
  readonly reason: SignatureReason

  constructor(reason: SignatureReason, message: string, options?: { cause?: unknown }) {
    super(
      reason === 'UNSUPPORTED_ALGORITHM' ? 'ERR_UNSUPPORTED' : 'ERR_SIGNATURE_INVALID',
      message,
      options,
    )
    this.reason = reason
  }
}

/** A signature that was examined, and why it does not count. */
export interface RejectedSignature {
  /** Where it was found; absent for one handed over. */
  readonly source?: { readonly mediaType: string; readonly digest: string }
  readonly error: SpindleError
}

/** An artifact does not satisfy a policy; `rejected` has every signature that was looked at. */
export class PolicyRejected extends SpindleError {
  override readonly name: string = 'PolicyRejected'
  readonly reason: 'NO_SIGNATURES' | 'NO_MATCHING_SIGNATURE'
  readonly rejected: readonly RejectedSignature[]

  constructor(
    reason: PolicyRejected['reason'],
    message: string,
    rejected: readonly RejectedSignature[],
    options?: { cause?: unknown },
  ) {
    super('ERR_POLICY_REJECTED', message, options)
    this.reason = reason
    this.rejected = rejected
  }
}

/** `path:line:column: message`, then the code frame if there is one. */
export function formatFinding(finding: Finding): string {
  let place = finding.path
  if (finding.line !== undefined) place += `:${finding.line}`
  if (finding.line !== undefined && finding.column !== undefined) place += `:${finding.column}`
  const frame = finding.frame === undefined ? '' : `\n${finding.frame}`
  return `${place}: ${finding.message}${frame}`
}

const NAMES: ReadonlySet<string> = new Set([
  'SpindleError',
  'ResponseError',
  'AppInvalid',
  'SignatureInvalid',
  'PolicyRejected',
])

/** Also true for errors of another copy or realm of this library, where `instanceof` fails. */
export function isSpindleError(value: unknown): value is SpindleError {
  return (
    value instanceof SpindleError ||
    (value instanceof Error && NAMES.has(value.name) && 'code' in value)
  )
}
