import { digestOf } from '../../bytes/digest.ts'
import { type Remedy, ResponseError, SpindleError } from '../../errors.ts'
import { bodyLength, unknownCoding } from '../../http/content-coding.ts'
import { discard, readBody } from '../../http/response-body.ts'
import { fetchInTime } from '../../http/sender.ts'
import type { Content, FetchLike } from '../../types.ts'
import { findWasmProblem } from './wasm-format.ts'

/** Longest Wasm to download, in bytes: components with a language's whole runtime have some 20 MB. */
const MAX_WASM_BYTES: number = 256 * 1024 * 1024
/** What gets a longer one. */
export const WASM_REMEDY: Remedy = {
  option: 'maxWasmBytes',
  advice: 'raise % if you trust the source',
}
/** Milliseconds, as a transport waits for headers. */
const DEFAULT_TIMEOUT = 30_000

/** A component in a package registry. */
export interface WasmPackage {
  /** Default: the one that the namespace is mapped to. */
  readonly registry?: string
  /** `namespace:name` */
  readonly package: string
  /** One version, as `=1.2.3`, for components; a requirement such as `>=0.1` for dependencies. */
  readonly version: string
}

/** Finds a package and gives its bytes, checked against the registry's digest. */
export type PackageResolver = (
  wanted: WasmPackage,
  options: { signal?: AbortSignal },
) => Promise<Uint8Array | Content>

export interface WasmSourceOptions {
  /** Fetches components and dependencies given as `{ url, digest }`. Default: the global `fetch`. */
  fetch?: FetchLike
  /** Gets components and dependencies of package registries. Without it they are `ERR_UNSUPPORTED`. */
  resolvePackage?: PackageResolver
  /** Longest Wasm to download in bytes. Default 268435456 (256 MiB). */
  maxWasmBytes?: number
  /** Milliseconds for a server to answer with headers. Default 30000; `false` for any. */
  timeout?: number | false
  signal?: AbortSignal
}

/**
 * Downloads Wasm and checks it against its digest.
 * `who` is what needs it, for messages.
 */
export async function fetchWasm(
  url: string,
  digest: string,
  who: string,
  options: WasmSourceOptions,
): Promise<Uint8Array> {
  const { signal, maxWasmBytes = MAX_WASM_BYTES, timeout = DEFAULT_TIMEOUT } = options
  const fetch: FetchLike = options.fetch ?? ((request) => globalThis.fetch(request))
  // Query strings are how signed URLs carry their secret.
  const place = new URL(url)
  const shown = `${place.origin}${place.pathname}`
  const deadline =
    timeout === false
      ? undefined
      : {
          milliseconds: timeout,
          error: () =>
            new SpindleError('ERR_TIMEOUT', `${who}: ${shown} was not answered in time`, {
              remedy: { option: 'timeout', advice: 'raise % if the server is slow' },
            }),
        }
  const bytes = await fetchInTime(fetch, place, { signal, deadline }).then(
    (response) => readResponse(response, shown, who, maxWasmBytes, signal),
    (cause: unknown) => {
      signal?.throwIfAborted()
      if (cause instanceof SpindleError) throw cause
      throw new SpindleError(
        'ERR_NETWORK',
        `${who}: ${shown} can't be reached; in a page, its server may not allow this origin (CORS)`,
        { cause },
      )
    },
  )
  const actual = await digestOf(bytes)
  if (actual !== digest) {
    const problem = await findWasmProblem(bytes)
    const next =
      problem === undefined
        ? 'if the file was changed on purpose, write its digest into the manifest'
        : `what came ${problem}`
    throw new SpindleError(
      'ERR_DIGEST_MISMATCH',
      `${who}: ${shown} has the digest ${actual}, not ${digest}: ${next}`,
    )
  }
  return bytes
}

async function readResponse(
  response: Response,
  shown: string,
  who: string,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (!response.ok) {
    discard(response)
    const code =
      response.status === 404
        ? 'ERR_NOT_FOUND'
        : response.status === 401
          ? 'ERR_UNAUTHORIZED'
          : 'ERR_RESPONSE'
    const next =
      response.status < 500 ? 'check its URL in the manifest' : 'try again, or take a copy'
    throw new ResponseError(code, `${who}: ${shown} answered ${response.status}; ${next}`, {
      status: response.status,
      method: 'GET',
      url: shown,
    })
  }
  const unknown = unknownCoding(response, `${who}: ${shown}`)
  if (unknown !== undefined) {
    discard(response)
    throw unknown
  }
  const announced = bodyLength(response) || limit
  const size = Math.min(announced, limit)
  return readBody(response, limit, `${who}: ${shown}`, signal, size, WASM_REMEDY)
}

/** Gets a package through the caller's resolver. */
export async function resolveWasmPackage(
  wanted: WasmPackage,
  who: string,
  options: WasmSourceOptions,
): Promise<Uint8Array | Content> {
  const { signal, resolvePackage } = options
  const name = `${wanted.package}@${wanted.version}${wanted.registry === undefined ? '' : ` of ${wanted.registry}`}`
  if (resolvePackage === undefined) {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `${who} is the package ${name}: pass "resolvePackage" to get it, or download it and name the file in the manifest`,
    )
  }
  signal?.throwIfAborted()
  return await resolvePackage(wanted, signal === undefined ? {} : { signal })
}
