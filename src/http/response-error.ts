import { inTime } from '../bytes/abort.ts'
import {
  ResponseError,
  type Remedy,
  type ResponseDetail,
  type ResponseErrorCode,
} from '../errors.ts'
import { chunksOf, concat } from '../bytes/stream.ts'
import { isJsonObject, parseJson } from '../bytes/json.ts'
import { decodeUtf8Lossy, encodeUtf8 } from '../bytes/text.ts'
import { redactText, redactUrl } from './redact.ts'
import { parseRetryAfter } from './retry-after.ts'
import { redactDetail } from './secrets.ts'

/** Bytes read of an error's body. Real ones have some hundred bytes; proxies send pages. */
const MAX_ERROR_BODY_BYTES: number = 64 * 1024
/** Milliseconds to wait for the body: it usually follows the headers at once. */
const ERROR_BODY_TIME = 5000
const MAX_DETAILS = 16
/** Characters of each text in a detail; real ones name an image or an action. */
const MAX_DETAIL_LENGTH = 2000

const CODES: Readonly<Record<number, ResponseErrorCode>> = {
  401: 'ERR_UNAUTHORIZED',
  403: 'ERR_UNAUTHORIZED',
  404: 'ERR_NOT_FOUND',
  409: 'ERR_CONFLICT',
  412: 'ERR_CONFLICT',
}

const ADVICE: Readonly<Record<string, string>> = {
  401: 'log in, or use credentials with access to this',
  403: 'these credentials lack the permission; request it, or check that the repository exists',
  404: 'check the name; registries also answer 404 for private repositories',
  405: 'the server does not offer this, or not for this content',
  413: 'it is too large for the server or a proxy before it',
  429: 'too many requests',
  501: 'the server does not offer this',
  505: 'the server does not support this version of HTTP; a proxy may be the cause',
  507: "the server's disk is full; its operator has to free space",
  5: 'the server failed; try again later',
  DIGEST_INVALID:
    'the content received does not match its digest; it may have changed while it was sent',
  NAME_UNKNOWN: 'check the name; some registries want the repository created first',
  MANIFEST_INVALID: 'the registry may not allow these media types (GitLab and Quay keep a list)',
  MANIFEST_BLOB_UNKNOWN: 'a blob it lists is missing; push again',
  TOOMANYREQUESTS: 'too many requests; wait, or log in for a higher limit',
}

/** Options that help with some of them. */
const REMEDIES: Readonly<Record<number, Remedy>> = {
  413: { option: 'chunkSize', advice: 'raise their limit, or set %' },
  429: { option: 'concurrency', advice: 'wait, or lower %' },
}

/** Redacts and truncates a server's text for messages. */
type Clean = (text: string, limit?: number) => string

interface ResponseErrorOptions {
  /** Advice that replaces the one for the status. */
  readonly hint?: string
  /** Removes the secrets that were sent: see `createSecrets`. */
  readonly redact?: (text: string) => string
}

/**
 * Makes an error of an unexpected response. Reads its body, up to 64 KiB and 5 s, and closes it.
 *
 * The message contains the method, the URL without secrets, the status, the server's codes and the
 * next step.
 */
export async function responseError(
  response: Response,
  method: string,
  url: URL | string,
  { hint, redact = (text) => text }: ResponseErrorOptions = {},
): Promise<ResponseError> {
  const text = await readStart(response)
  const clean: Clean = (said, limit) => redactText(redact(said), limit)
  const details = parseDetails(text, clean)
  const { status } = response
  const known = details.find(({ code }) => Object.hasOwn(ADVICE, code))?.code
  const advice = hint ?? ADVICE[known ?? status] ?? ADVICE[Math.floor(status / 100)]
  const remedy = advice === ADVICE[status] ? REMEDIES[status] : undefined
  const said =
    details.length > 0
      ? details.map(({ code, message }) => (message ? `${code} (${message})` : code)).join(', ')
      : describeText(text, response, clean)
  const retryAfter = parseRetryAfter(response.headers.get('retry-after'), text)
  const message = `${method} ${redactUrl(url)} was answered ${status}${said === '' ? '' : `: ${said}`}`
  return new ResponseError(
    errorCodeOf(status, details),
    advice === undefined ? message : `${message}; ${advice}`,
    {
      status,
      method,
      url: redactUrl(url),
      details,
      ...(retryAfter !== undefined && { retryAfter }),
    },
    remedy && { remedy },
  )
}

function errorCodeOf(status: number, details: readonly ResponseDetail[]): ResponseErrorCode {
  if (details.some(({ code }) => code === 'DIGEST_INVALID')) return 'ERR_DIGEST_MISMATCH'
  return CODES[status] ?? 'ERR_RESPONSE'
}

async function readStart(response: Response): Promise<string> {
  const { body } = response
  if (body === null) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  const read = async (signal: AbortSignal): Promise<void> => {
    for await (const chunk of chunksOf(body, signal)) {
      chunks.push(chunk.subarray(0, MAX_ERROR_BODY_BYTES - size))
      size += chunk.length
      if (size >= MAX_ERROR_BODY_BYTES) break
    }
  }
  const deadline = { milliseconds: ERROR_BODY_TIME, error: () => new Error('too late') }
  try {
    await inTime({ deadline }, read)
  } catch {
    // The status says enough; what was read of the body is a help, not a need.
  }
  return decodeUtf8Lossy(concat(chunks))
}

/**
 * Registries send `{errors: [{code, message, detail}]}`, token services `{details}` or `{error}`.
 */
function parseDetails(text: string, clean: Clean): ResponseDetail[] {
  let document: unknown
  try {
    document = parseJson(encodeUtf8(text), 'the error')
  } catch {
    return []
  }
  if (!isJsonObject(document)) return []
  const { errors, error, error_description: description, details, message } = document
  const list: readonly unknown[] = Array.isArray(errors)
    ? errors
    : [{ code: error ?? 'UNKNOWN', message: description ?? details ?? message }]
  return list.slice(0, MAX_DETAILS).flatMap((entry): ResponseDetail[] => {
    if (!isJsonObject(entry)) return []
    const { code, message: told, detail } = entry
    const said = typeof told === 'string' && told !== '' ? clean(told) : undefined
    if (typeof code !== 'string' || (code === 'UNKNOWN' && said === undefined)) return []
    return [
      {
        code: clean(code, 64),
        ...(said !== undefined && { message: said }),
        ...(detail !== undefined &&
          detail !== null && {
            detail: redactDetail(detail, (said) => clean(said, MAX_DETAIL_LENGTH)),
          }),
      },
    ]
  })
}

function describeText(text: string, response: Response, clean: Clean): string {
  const type = response.headers.get('content-type') ?? ''
  // Of a page only its title says something.
  if (/html/i.test(type) || /^\s*</.test(text)) {
    const title = /<title[^>]{0,100}>([^<]{1,200})/i.exec(text)?.[1]
    return title === undefined ? '' : clean(title, 100)
  }
  return clean(text, 200)
}
