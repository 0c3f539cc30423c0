import { isJsonObject, type JsonObject, parseJson } from '../../bytes/json.ts'
import { parseBase64 } from '../../bytes/base64.ts'
import { decodeUtf8, decodeUtf8Lossy, encodeUtf8 } from '../../bytes/text.ts'
import { blankUnseen } from '../../bytes/visible.ts'
import { isSpindleError, SpindleError } from '../../errors.ts'
import type { AuthScope, Credentials } from '../../types.ts'
import { readFileBounded } from '../files/bounded-file.ts'

/** Maximum bytes of a login file, far above real ones. */
const MAX_BYTES = 4 * 1024 * 1024

/** The names of Docker Hub in login files. */
const HUB_NAMES: ReadonlySet<string> = new Set([
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
  'registry.hub.docker.com',
])

/** The environment variable that holds the text of a `config.json`, as in GitLab's CI. */
export const AUTH_VARIABLE = 'DOCKER_AUTH_CONFIG'

/** A file in the form of Docker's `config.json`, of which only logins are read. */
export interface AuthFile {
  /** For messages: the file's path, or the name of the variable. */
  readonly path: string
  readonly auths: ReadonlyMap<string, unknown>
  /** Helper names by registry. */
  readonly credHelpers: ReadonlyMap<string, string>
  readonly credsStore?: string
}

/**
 * Reads `config.json` or `auth.json`; `undefined` when there is none.
 * @throws `ERR_CREDENTIALS_INVALID` for a file that is invalid or cannot be read.
 */
export async function loadAuthFile(path: string): Promise<AuthFile | undefined> {
  const value = await loadJsonObject(path)
  return value === undefined ? undefined : readAuthFile(value, path)
}

/**
 * Reads the text of `DOCKER_AUTH_CONFIG`.
 * @throws `ERR_CREDENTIALS_INVALID`, naming the variable and nothing of its text.
 */
export function parseAuthVariable(text: string): AuthFile {
  return readAuthFile(parseJsonObject(text, AUTH_VARIABLE), AUTH_VARIABLE)
}

function readAuthFile(value: JsonObject, path: string): AuthFile {
  const member = (name: string): ReadonlyMap<string, unknown> => {
    const entry = Object.hasOwn(value, name) ? value[name] : undefined
    if (entry === undefined || entry === null) return new Map()
    if (!isJsonObject(entry)) throw invalid(path, `"${name}" is not an object`)
    return new Map(Object.entries(entry))
  }
  const credHelpers = new Map<string, string>()
  for (const [key, helper] of member('credHelpers')) {
    if (helper !== null && typeof helper !== 'string')
      throw invalid(path, `"credHelpers" has no helper name for ${JSON.stringify(key)}`)
    // Docker reads null as the empty name: no helper for this registry, "credsStore" neither.
    credHelpers.set(key, helper ?? '')
  }
  const store = Object.hasOwn(value, 'credsStore') ? value['credsStore'] : undefined
  if (store !== undefined && store !== null && typeof store !== 'string')
    throw invalid(path, '"credsStore" is not a helper name')
  return {
    path,
    auths: member('auths'),
    credHelpers,
    ...(typeof store === 'string' && store !== '' ? { credsStore: store } : {}),
  }
}

/** A JSON file of logins as an object; `undefined` when there is none. */
export async function loadJsonObject(path: string): Promise<JsonObject | undefined> {
  let bytes: Uint8Array | undefined
  try {
    bytes = await readFileBounded(path, MAX_BYTES)
  } catch (cause) {
    throw invalid(path, `it cannot be read: ${(cause as Error).message}`, cause)
  }
  if (bytes === undefined) return undefined
  const text = decodeUtf8(bytes)
  if (text === undefined) throw invalid(path, 'it is not UTF-8')
  return parseJsonObject(text, path)
}

function parseJsonObject(text: string, path: string): JsonObject {
  if (text.trim() === '') return {}
  let value: unknown
  try {
    value = parseJson(encodeUtf8(text), 'it')
  } catch (error) {
    if (isSpindleError(error) && error.code === 'ERR_LIMIT_EXCEEDED')
      throw invalid(path, error.message)
    // Without the parser's error: it quotes the text around the position.
    throw invalid(path, 'it is not JSON')
  }
  if (!isJsonObject(value)) throw invalid(path, 'it is not a JSON object')
  return value
}

/**
 * The entry for a scope, of the key that fits it closest: `host/team/app`, then `host/team`, then
 * `host`; each may be written with `https://` before and `/`, `/v1/` or `/v2/` after.
 */
export function findEntry<T>(
  entries: ReadonlyMap<string, T>,
  scope: AuthScope,
): { readonly key: string; readonly value: T } | undefined {
  const wanted = `${canonicalHost(scope.registry)}/${scope.repository}`
  let best: { readonly key: string; readonly value: T; readonly rank: number } | undefined
  for (const [key, value] of entries) {
    const name = canonicalKey(key)
    if (name !== wanted && !wanted.startsWith(`${name}/`)) continue
    // Of two spellings of one name the plain one wins: it is the newer one.
    const rank = name.length * 2 + (key === name ? 1 : 0)
    if (best === undefined || rank > best.rank) best = { key, value, rank }
  }
  return best
}

function canonicalKey(key: string): string {
  // `/v1/` belongs to the address only right after the host: later it is a repository's name.
  const bare = key
    .replace(/^https?:\/\//i, '')
    .replace(/^([^/]+)\/v[12]\/?$/, '$1')
    .replace(/\/$/, '')
  const slash = bare.indexOf('/')
  return slash === -1
    ? canonicalHost(bare)
    : `${canonicalHost(bare.slice(0, slash))}${bare.slice(slash)}`
}

function canonicalHost(host: string): string {
  const lower = host.toLowerCase()
  return HUB_NAMES.has(lower) ? 'docker.io' : lower
}

/** The name of a registry for credential helpers. */
export function helperServer(registry: string): string {
  return canonicalHost(registry) === 'docker.io' ? 'https://index.docker.io/v1/' : registry
}

/**
 * The credentials of one entry of `auths`; `undefined` for null and for an empty one, as `credsStore`
 * leaves it.
 * @throws `ERR_CREDENTIALS_INVALID`
 */
export function readAuthEntry(
  file: AuthFile,
  key: string,
  entry: unknown,
): Credentials | undefined {
  if (entry === null) return undefined
  const place = `the login for ${JSON.stringify(key)}`
  if (!isJsonObject(entry)) throw invalid(file.path, `${place} is not an object`)
  const text = (name: string): string => {
    const value = Object.hasOwn(entry, name) ? entry[name] : undefined
    if (value !== undefined && value !== null && typeof value !== 'string')
      throw invalid(file.path, `"${name}" of ${place} is not a string`)
    return value ?? ''
  }
  const refreshToken = text('identitytoken')
  if (refreshToken !== '') return { refreshToken }
  const token = text('registrytoken')
  if (token !== '') return { token }
  const auth = text('auth').trim()
  if (auth !== '') {
    const pair = parsePair(auth)
    if (pair === undefined)
      throw invalid(file.path, `"auth" of ${place} is not the base64 of user:password`)
    return pair
  }
  const username = text('username')
  const password = text('password')
  if (username === '' && password === '') return undefined
  if (username === '') throw invalid(file.path, `${place} has a password and no username`)
  return fromPair(username, password)
}

/** Base64 of `user:password`, split at the first colon; `undefined` when it isn't that. */
export function parsePair(auth: string): Credentials | undefined {
  const bytes = parseBase64(auth)
  if (bytes === undefined) return undefined
  const text = decodeUtf8(bytes) ?? latin1(bytes)
  const colon = text.indexOf(':')
  if (colon < 1) return undefined
  // Docker pads short passwords with NULs on some platforms, and strips them again.
  return fromPair(text.slice(0, colon), text.slice(colon + 1).replace(/^\0+|\0+$/g, ''))
}

/** The user name `<token>` says that the secret is an identity token. */
export function fromPair(username: string, password: string): Credentials {
  return username === '<token>' ? { refreshToken: password } : { username, password }
}

function latin1(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

export function invalid(path: string, problem: string, cause?: unknown): SpindleError {
  const next =
    path === AUTH_VARIABLE
      ? 'correct the variable, or unset it'
      : 'fix the file, or log in again with "spindle registry login"'
  return new SpindleError(
    'ERR_CREDENTIALS_INVALID',
    `${path} has invalid logins: ${problem}; ${next}`,
    cause === undefined ? undefined : { cause },
  )
}

/** For a message: one line, bounded, nothing that moves the cursor. */
export function oneLine(bytes: Uint8Array): string {
  const [line = ''] = decodeUtf8Lossy(bytes)
    .trim()
    .split(/[\r\n]/, 1)
  return blankUnseen(line.slice(0, 200))
}
