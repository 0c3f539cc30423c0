import { formatBase64Unpadded, formatBase64Url, parseBase64 } from '../bytes/base64.ts'
import { isJsonObject, parseJson } from '../bytes/json.ts'
import { decodeUtf8, encodeUtf8 } from '../bytes/text.ts'

/** Most secrets remembered; older ones are dropped, as tokens are short-lived. */
const MAX_SECRETS = 256
/** Shortest secret in characters: shorter ones would occur in any text. */
const MIN_LENGTH = 4
/** The same for our own messages, where a short secret can be a word or number. */
const MIN_LENGTH_AMONG_OTHERS = 8
/** Largest form in bytes that is searched for secrets. Real ones have some kilobytes. */
const MAX_FORM_BYTES = 256 * 1024
/** Most levels of nested JSON that are searched. */
const MAX_DEPTH = 8
/** Most causes of an error that are redacted. */
const MAX_CAUSES = 6

/** Names of members of forms and documents with secrets. */
const SECRET_NAME =
  /pass(?:word|phrase|wd)|token|secret|verifier|assertion|credential|authorization|^device_code$|^code$/i

/** Secrets that were sent, to be removed from a server's texts. */
export interface Secrets {
  /** Adds the secrets of a request: its `Authorization`, and members of its form. */
  readonly addRequest: (
    headers: Headers,
    body?: Uint8Array | string | undefined,
    contentType?: string | undefined,
  ) => void
  /** Removes the secrets from a server's text, plain or in a usual encoding. */
  readonly redact: (text: string) => string
  /**
   * The same for a text that is not only a server's: secrets of fewer than 8 characters are kept.
   */
  readonly redactAmongOthers: (text: string) => string
  /** Removes the secrets from an error and its causes. */
  readonly redactError: (error: unknown) => void
}

/** Creates an empty collection of secrets. */
export function createSecrets(): Secrets {
  /** Encodings by secret. */
  const known = new Map<string, readonly string[]>()
  const headers = new Set<string>()
  /** Search patterns by minimum length; created when needed. */
  const patterns = new Map<number, RegExp | undefined>()

  const add = (secret: string): void => {
    if (secret.length < MIN_LENGTH || known.has(secret)) return
    if (known.size >= MAX_SECRETS) known.delete(known.keys().next().value!)
    known.set(secret, spellingsOf(secret))
    patterns.clear()
  }
  const addAuthorization = (value: string): void => {
    if (headers.has(value)) return
    if (headers.size >= MAX_SECRETS) headers.clear()
    headers.add(value)
    const [scheme = '', ...rest] = value.trim().split(/\s+/)
    const proof = rest.join(' ')
    add(proof === '' ? scheme : proof)
    if (scheme.toLowerCase() !== 'basic') return
    const pair = decodeUtf8(parseBase64(proof) ?? new Uint8Array())
    const colon = pair?.indexOf(':') ?? -1
    if (pair === undefined || colon < 0) return
    add(pair)
    add(pair.slice(colon + 1))
  }
  const replaceIn = (text: string, least: number): string => {
    if (!patterns.has(least)) patterns.set(least, patternOf([...known.values()].flat(), least))
    const pattern = patterns.get(least)
    if (pattern === undefined) return text
    return text
      .replace(pattern, '…')
      .replace(ENCODED_WORD, (word) => (decode(word).search(pattern) < 0 ? word : '…'))
  }
  return {
    addRequest(sent, body, contentType) {
      const authorization = sent.get('authorization')
      if (authorization !== null) addAuthorization(authorization)
      if (body === undefined || contentType === undefined || body.length > MAX_FORM_BYTES) return
      const text = typeof body === 'string' ? body : decodeUtf8(body)
      if (text !== undefined) for (const secret of secretsIn(text, contentType)) add(secret)
    },
    redact: (text) => replaceIn(text, MIN_LENGTH),
    redactAmongOthers: (text) => replaceIn(text, MIN_LENGTH_AMONG_OTHERS),
    redactError(error) {
      let at: unknown = error
      for (let depth = 0; depth < MAX_CAUSES && at instanceof Error; depth++, at = at.cause) {
        for (const name of Object.getOwnPropertyNames(at)) {
          const text: unknown = (at as unknown as Record<string, unknown>)[name]
          if (typeof text !== 'string') continue
          const clean = replaceIn(text, MIN_LENGTH_AMONG_OTHERS)
          if (clean !== text) Object.defineProperty(at, name, { value: clean })
        }
      }
    },
  }
}

/** The longest first, so that no rest of a longer one is left. */
function patternOf(spellings: readonly string[], least: number): RegExp | undefined {
  const all = [...new Set(spellings)]
    .filter(({ length }) => length >= least)
    .sort((a, b) => b.length - a.length)
    .map((spelling) => spelling.replace(/[$()*+./?[\\\]^{|}-]/g, '\\$&'))
  return all.length === 0 ? undefined : new RegExp(all.join('|'), 'gi')
}

/** A word with percent-encoded characters. */
const ENCODED_WORD = /[^\s%]*%[0-9a-f]{2}\S*/gi

/** Decodes a word, twice if it was encoded twice. */
function decode(word: string): string {
  let text = word.replaceAll('+', ' ')
  for (let times = 0; times < 2; times++) {
    try {
      text = decodeURIComponent(text)
    } catch {
      break
    }
  }
  return text
}

/** The secret members of a form or a JSON document. */
function secretsIn(text: string, contentType: string): string[] {
  if (contentType.startsWith('application/x-www-form-urlencoded'))
    return [...new URLSearchParams(text)].flatMap(([name, value]) =>
      SECRET_NAME.test(name) ? [value] : [],
    )
  if (!contentType.startsWith('application/json')) return []
  const found: string[] = []
  const visit = (value: unknown, isSecret: boolean, depth: number): void => {
    if (typeof value === 'string' && isSecret) found.push(value)
    if (depth === MAX_DEPTH) return
    if (isJsonObject(value))
      for (const [name, inner] of Object.entries(value))
        visit(inner, isSecret || SECRET_NAME.test(name), depth + 1)
  }
  try {
    visit(parseJson(encodeUtf8(text), 'the body'), false, 0)
  } catch {
    // Not JSON: no known secrets.
  }
  return found
}

/** Encodings in which servers repeat a secret: plain, base64, or escaped for URLs, JSON or HTML. */
function spellingsOf(secret: string): string[] {
  const bytes = encodeUtf8(secret)
  const wellFormed = secret.replace(/\p{Cs}/gu, '\ufffd')
  const inHtml = secret
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
  return [
    secret,
    formatBase64Unpadded(bytes),
    formatBase64Url(bytes),
    encodeURIComponent(wellFormed),
    encodeURI(wellFormed),
    new URLSearchParams({ '': secret }).toString().slice(1),
    inJson(secret),
    inJson(inJson(secret)),
    inHtml,
    inHtml.replaceAll("'", '&#39;'),
    inHtml.replaceAll('&quot;', '&#34;').replaceAll("'", '&#39;'),
  ]
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

/** The `detail` of a server's error: cleans every text and hides members with names of secrets. */
export function redactDetail(value: unknown, clean: (text: string) => string, depth = 0): unknown {
  if (typeof value === 'string') return clean(value)
  if (typeof value === 'number') return clean(String(value)) === String(value) ? value : '…'
  if (typeof value !== 'object' || value === null) return value
  if (depth === MAX_DEPTH) return '…'
  if (Array.isArray(value)) return value.map((item) => redactDetail(item, clean, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]: [string, unknown]) => [
      clean(name),
      SECRET_NAME.test(name) && (typeof inner === 'string' || typeof inner === 'number')
        ? '…'
        : redactDetail(inner, clean, depth + 1),
    ]),
  )
}
