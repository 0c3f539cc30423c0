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

/** What an answer of a server had, in each `ERR_RESPONSE` and in other errors of an answer. */
export interface ResponseData {
  /** HTTP status; 0 where the platform does not show it. */
  readonly status: number
  readonly method: string
  /** Query values and user-info removed: redirects carry signatures there. */
  readonly url: string
  /** The registry's own errors; empty where it sent none. */
  readonly details: readonly ResponseDetail[]
  /** Milliseconds that the server asked to wait before the next attempt. */
  readonly retryAfter?: number
}

/** Properties that errors of a code have beside those of `SpindleError`. Other codes have none. */
export interface ErrorData {
  ERR_APP_INVALID: { readonly findings: readonly Finding[] }
  /** Of an answer only; content that was read has no `status`. */
  ERR_DIGEST_MISMATCH: Partial<ResponseData>
  ERR_LIMIT_EXCEEDED: Partial<ResponseData>
  /** Of a registry; a store on this machine has no `status`. */
  ERR_NOT_FOUND: Partial<ResponseData>
  ERR_UNAUTHORIZED: Partial<ResponseData>
  ERR_CONFLICT: Partial<ResponseData>
  ERR_RESPONSE: ResponseData
  ERR_SIGNATURE_INVALID: { readonly reason: SignatureReason }
  ERR_POLICY_REJECTED: {
    readonly reason: PolicyReason
    readonly rejected: readonly RejectedSignature[]
  }
  /** Of a signature: its algorithm. */
  ERR_UNSUPPORTED: { readonly reason?: SignatureReason }
}

/** An error with the properties of its code: `isSpindleError` gives it, and a `switch` narrows it. */
export type AnySpindleError = {
  [Code in ErrorCode]: SpindleError & { readonly code: Code } & (Code extends keyof ErrorData
      ? ErrorData[Code]
      : unknown)
}[ErrorCode]

/** Codes whose errors need no other properties. The others have a class each. */
export type PlainErrorCode = Exclude<
  ErrorCode,
  'ERR_APP_INVALID' | 'ERR_POLICY_REJECTED' | 'ERR_RESPONSE' | 'ERR_SIGNATURE_INVALID'
>

/** Codes of errors that a server's answer makes. */
export type ResponseErrorCode =
  | 'ERR_CONFLICT'
  | 'ERR_DIGEST_MISMATCH'
  | 'ERR_LIMIT_EXCEEDED'
  | 'ERR_NOT_FOUND'
  | 'ERR_RESPONSE'
  | 'ERR_UNAUTHORIZED'

/** Longest message in characters: some quote what a server or an artifact says, which has megabytes. */
const MAX_MESSAGE_CHARS = 65_536

/** An option of the call that gets past an error, such as a limit to raise. */
export interface Remedy {
  /** Name of the option, as in `maxBytes`. A command line maps it to its flag. */
  readonly option: string
  /** What to do about it, with `%` in place of the option's name. */
  readonly advice: string
}

/** Marks errors of each copy of this library, so that one recognizes those of another. */
const BRAND = Symbol.for('spindle.SpindleError')

/** The base of all errors of this library. Exported from the main entry point and `spindle/errors`. */
export class SpindleError extends Error {
  override readonly name: string = 'SpindleError'
  readonly code: ErrorCode
  /** The message without the advice of `remedy`. */
  readonly problem: string
  /** The option that gets past this error; the message names it too. */
  readonly remedy?: Remedy
  /** Which side of a push, pull or copy failed. Absent where it was neither, or not one alone. */
  readonly side?: 'source' | 'target'

  static {
    // Not in the type: the errors of two copies stay assignable to each other.
    Object.defineProperty(this.prototype, BRAND, { value: true })
  }

  constructor(code: PlainErrorCode, said: string, options?: { cause?: unknown; remedy?: Remedy }) {
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
export class ResponseError extends SpindleError implements ResponseData {
  override readonly name: string = 'ResponseError'
  readonly status: number
  readonly method: string
  /** Query values and user-info removed: redirects carry signatures there. */
  readonly url: string
  readonly details: readonly ResponseDetail[]
  /** Milliseconds that the server asked to wait before the next attempt. */
  readonly retryAfter?: number

  constructor(
    code: ResponseErrorCode,
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
    super(code as PlainErrorCode, message, options)
    this.status = response.status
    this.method = response.method
    this.url = response.url
    this.details = response.details ?? []
    if (response.retryAfter !== undefined) this.retryAfter = response.retryAfter
  }
}

/**
 * A server's answer can't be used, though it is no refusal: a redirect that must not be followed, or
 * an upload that goes on nowhere. Its code is `ERR_RESPONSE`.
 */
export class InvalidResponse extends SpindleError implements ResponseData {
  override readonly name: string = 'InvalidResponse'
  readonly status: number
  readonly method: string
  readonly url: string
  readonly details: readonly ResponseDetail[] = []

  constructor(
    message: string,
    response: { status: number; method: string; url: string },
    options?: { cause?: unknown },
  ) {
    super('ERR_RESPONSE' as ErrorCode as PlainErrorCode, message, options)
    this.status = response.status
    this.method = response.method
    this.url = response.url
  }
}

/** Something said about one place of a file. Lines and columns count from 1. */
export interface Finding {
  /** Kebab-case, stable; for filtering. */
  readonly code: string
  readonly message: string
  /** Path of the file in the application's tree. Absent for what no single place of a file is the cause of. */
  readonly path?: string
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
    super(
      'ERR_APP_INVALID' as ErrorCode as PlainErrorCode,
      findings.map(formatFinding).join('\n'),
      options,
    )
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
    const code: ErrorCode =
      reason === 'UNSUPPORTED_ALGORITHM' ? 'ERR_UNSUPPORTED' : 'ERR_SIGNATURE_INVALID'
    super(code as PlainErrorCode, message, options)
    this.reason = reason
  }
}

/** A signature that was examined, and why it does not count. */
export interface RejectedSignature {
  /** Where it was found; absent for one handed over. */
  readonly source?: { readonly mediaType: string; readonly digest: string }
  readonly error: SpindleError
}

/** Why a policy refuses: nothing signed, no signature that counts, or a host that is not allowed. */
export type PolicyReason = 'NO_SIGNATURES' | 'NO_MATCHING_SIGNATURE' | 'HOST_NOT_ALLOWED'

/** An artifact does not satisfy a policy; `rejected` has every signature that was looked at. */
export class PolicyRejected extends SpindleError {
  override readonly name: string = 'PolicyRejected'
  readonly reason: PolicyReason
  readonly rejected: readonly RejectedSignature[]

  constructor(
    reason: PolicyReason,
    message: string,
    rejected: readonly RejectedSignature[],
    options?: { cause?: unknown },
  ) {
    super('ERR_POLICY_REJECTED' as ErrorCode as PlainErrorCode, message, options)
    this.reason = reason
    this.rejected = rejected
  }
}

/** `path:line:column: message`, then the code frame if there is one; without a path, the message. */
export function formatFinding(finding: Finding): string {
  if (finding.path === undefined) return finding.message
  let place = finding.path
  if (finding.line !== undefined) place += `:${finding.line}`
  if (finding.line !== undefined && finding.column !== undefined) place += `:${finding.column}`
  const frame = finding.frame === undefined ? '' : `\n${finding.frame}`
  return `${place}: ${finding.message}${frame}`
}

/** Whether the properties that errors of a code must have are there. */
const REQUIRED: Readonly<Record<string, (error: Record<string, unknown>) => boolean>> = {
  ERR_APP_INVALID: ({ findings }) => Array.isArray(findings),
  ERR_RESPONSE: ({ status, details }) => typeof status === 'number' && Array.isArray(details),
  ERR_SIGNATURE_INVALID: ({ reason }) => typeof reason === 'string',
  ERR_POLICY_REJECTED: ({ reason, rejected }) =>
    typeof reason === 'string' && Array.isArray(rejected),
}

/**
 * Whether a value is an error of this library; a `switch` over its `code` then narrows it. Also true
 * for errors of another copy or realm, where `instanceof` fails. Never throws.
 *
 * Exported from the main entry point and `spindle/errors`.
 *
 * @example Show all that is wrong with an application
 * ```ts
 * if (isSpindleError(error) && error.code === 'ERR_APP_INVALID')
 *   for (const finding of error.findings) console.error(formatFinding(finding))
 * ```
 */
export function isSpindleError(value: unknown): value is AnySpindleError {
  if (typeof value !== 'object' || value === null) return false
  try {
    const error = value as Record<PropertyKey, unknown>
    const { code, message } = error
    return (
      error[BRAND] === true &&
      typeof message === 'string' &&
      typeof code === 'string' &&
      code.startsWith('ERR_') &&
      (!Object.hasOwn(REQUIRED, code) || REQUIRED[code]?.(error) === true)
    )
  } catch {
    // A proxy or an accessor threw: no error of ours has one.
    return false
  }
}
