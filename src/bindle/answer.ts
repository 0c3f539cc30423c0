import { type ResponseErrorCode, ResponseError, SpindleError } from '../errors.ts'
import { redactText, redactUrl } from '../http/redact.ts'
import { readBody } from '../http/response-body.ts'
import { isJsonObject, jsonLimits, parseJson } from '../bytes/json.ts'
import { decodeUtf8Lossy } from '../bytes/text.ts'
import type { Transport } from '../types.ts'
import { parseToml, tomlLimits } from '../bytes/toml.ts'

/** Longest error text that is read; the reference server's are single sentences. */
const MAX_ERROR_BYTES = 64 * 1024

export interface ServerAnswer {
  readonly status: number
  readonly value: unknown
}

interface Question {
  readonly method: string
  readonly url: URL
  /** What was asked for, in messages. */
  readonly what: string
  /** Longest answer, in bytes. */
  readonly limit: number
  /** Most keys; the default of its format when absent. */
  readonly maxKeys?: number | undefined
  /** Takes out the secrets that were sent. */
  readonly redact: (text: string) => string
}

/** What takes the secrets that a transport has sent out of a server's words. */
export function redactBy({ redact }: Transport): (text: string) => string {
  return redact ?? ((text) => text)
}

/**
 * Reads a document out of an answer, JSON or TOML as its type says.
 * @throws as {@link assertAnswered}
 */
export async function readAnswer(
  response: Response,
  question: Question,
  signal?: AbortSignal,
): Promise<ServerAnswer> {
  const { status } = response
  await assertAnswered(response, question, signal)
  const bytes = await readBody(response, question.limit, question.what, signal)
  const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  const { what, maxKeys } = question
  if (type === 'application/json')
    return { status, value: parseJson(bytes, what, jsonLimits(maxKeys, 'maxKeys')) }
  if (type === 'application/toml')
    return { status, value: parseToml(bytes, what, tomlLimits(maxKeys, 'maxKeys')) }
  throw new SpindleError(
    'ERR_CONTENT_INVALID',
    `${redactUrl(question.url)} answered with ${type === undefined ? 'no type' : redactText(question.redact(type), 100)}, not with TOML or JSON: is it a Bindle server? Its URL ends in /v1 as a rule`,
  )
}

/** @throws `ResponseError` for a refusal, with the server's own words. */
export async function assertAnswered(
  response: Response,
  { method, url, what, redact }: Pick<Question, 'method' | 'url' | 'what' | 'redact'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (response.ok) return
  const { status } = response
  const said = redactText(redact(await wordsOf(response, signal)))
  const yanked = status === 403 && said.includes('yanked')
  const code = yanked ? 'ERR_NOT_FOUND' : (CODES.get(status) ?? 'ERR_RESPONSE')
  const advice = yanked
    ? 'it was withdrawn: take another version, or ask for yanked ones'
    : ADVICE.get(status)
  const message = `${what}: ${method} ${redactUrl(url)} answered ${status}${said === '' ? '' : `: ${said}`}${advice === undefined ? '' : `; ${advice}`}`
  throw new ResponseError(code, message, { status, method, url: redactUrl(url) })
}

/** The server's sentence: TOML as a rule, plain text of its framework, or nothing. */
async function wordsOf(response: Response, signal: AbortSignal | undefined): Promise<string> {
  let bytes: Uint8Array
  try {
    bytes = await readBody(response, MAX_ERROR_BYTES, 'the error', signal)
  } catch {
    signal?.throwIfAborted()
    return ''
  }
  try {
    const value =
      response.headers.get('content-type')?.startsWith('application/json') === true
        ? parseJson(bytes, 'the error')
        : parseToml(bytes, 'the error')
    if (isJsonObject(value) && typeof value['error'] === 'string') return value['error']
  } catch {
    // Not a document: its text is the message.
  }
  return decodeUtf8Lossy(bytes).trim()
}

const CODES: ReadonlyMap<number, ResponseErrorCode> = new Map([
  [401, 'ERR_UNAUTHORIZED'],
  [403, 'ERR_UNAUTHORIZED'],
  [404, 'ERR_NOT_FOUND'],
  [409, 'ERR_CONFLICT'],
  [413, 'ERR_LIMIT_EXCEEDED'],
  [507, 'ERR_LIMIT_EXCEEDED'],
])
const ADVICE: ReadonlyMap<number, string> = new Map([
  [401, 'log in anew, or check user and password'],
  [403, 'log in: this server lets only known users change something'],
  [507, 'its operator can make room: ask, or push to another'],
  [409, 'bindles never change: give the application another version'],
])
