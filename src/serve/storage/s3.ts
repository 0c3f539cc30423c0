import { AwsClient } from 'aws4fetch'
import { inTime } from '../../bytes/abort.ts'
import { MAX_TIMER, MIN_TRANSFER_RATE } from '../../http/timing.ts'
import { decodeUtf8Lossy } from '../../bytes/text.ts'
import { redactText, redactUrl } from '../../http/redact.ts'
import { InvalidResponse, isSpindleError, SpindleError } from '../../errors.ts'
import { discard, readBody } from '../../http/response-body.ts'
import { isTransientStatus } from '../../http/retry.ts'
import { paceLimitsOf, streamInTime } from '../../http/timed-reader.ts'
import type { FetchLike } from '../../types.ts'
import {
  cancelBody,
  assertStorageKey,
  LIST_LIMIT,
  type PutOptions,
  type PutResult,
  type Storage,
  type StoredHead,
} from './port.ts'
import { checkPrefix, readPieces, startingWith } from './pieces.ts'
import type { Pieces } from './pieces.ts'
import { formatCompletion, parseListing, textOf } from './s3-xml.ts'

export type { Content, FetchLike } from '../../types.ts'
export type {
  GetOptions,
  ListOptions,
  ListResult,
  PutOptions,
  PutResult,
  Storage,
  StorageBody,
  StoredHead,
  StoredInfo,
  StoredRange,
  StoredValue,
} from './port.ts'

/** Largest XML response: a list of 1000 keys of 1 KiB with their markup. */
const MAX_XML_BYTES = 4 * 1024 * 1024
const MAX_ATTEMPTS = 4
/** Milliseconds before the second attempt; doubled for each one after. */
const DELAY = 100
const TIMEOUT = 30_000

/** Options of `createS3Storage`. */
export interface S3StorageOptions {
  /** URL of the service without the bucket: `https://s3.eu-central-1.amazonaws.com`. */
  endpoint: string
  /** Name of the bucket. Requests are path-style, which every S3 server supports. */
  bucket: string
  /** Access key ID. */
  accessKeyId: string
  /** Secret access key. */
  secretAccessKey: string
  /** Session token of temporary credentials. Default: none. */
  sessionToken?: string
  /** Region for request signing. Default `auto`, the region of R2; AWS requires that of the bucket. */
  region?: string
  /** Prefix of every key, such as `registry/`. Default: none. */
  prefix?: string
  /** Sends the requests. Default: the global `fetch`. */
  fetch?: FetchLike
  /**
   * Milliseconds until the service begins its response, plus time for the bytes of the request. Default
   * 30000; `false` disables the timeout.
   */
  timeout?: number | false
  /**
   * Milliseconds in which a response body must deliver its share of `minRate`. Default 60000; `false`
   * disables the timeout.
   */
  idleTimeout?: number | false
  /**
   * Least bytes per second of a response body. Default 1024; with `false` or 0, one byte per `idleTimeout`
   * is enough.
   */
  minRate?: number | false
}

/**
 * Creates a storage in a bucket of an S3-compatible server, which any number of instances can share.
 *
 * Exported from `spindle/storage-s3`. The server must support conditional writes (`If-None-Match: *` and
 * `If-Match`, on `PutObject` and `CompleteMultipartUpload`) and allow a key that is the beginning of another
 * (`a` and `a/b`): AWS, R2 and Ceph do; servers that map keys to files may not.
 *
 * @example A registry over a bucket
 * ```ts
 * const storage = createS3Storage({ endpoint, region, bucket, accessKeyId, secretAccessKey })
 * const registry = createRegistryHandler({ storage })
 * ```
 * @throws `TypeError` for an invalid option. The storage's methods reject with `ERR_UNAUTHORIZED` for a 403,
 * `ERR_RESPONSE` for another error status, `ERR_NETWORK`, `ERR_TIMEOUT`.
 * @see {@link https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html Conditional writes}
 */
export function createS3Storage(options: S3StorageOptions): Storage {
  const { fetch: send = (request: Request) => fetch(request), region = 'auto' } = options
  const prefix = checkPrefix(options.prefix ?? '')
  const { accessKeyId, secretAccessKey, sessionToken, timeout = TIMEOUT } = options
  if (timeout !== false && !(timeout > 0))
    throw new TypeError(`"timeout" should be milliseconds or false and is ${timeout}`)
  const pace = paceLimitsOf(options)
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
    service: 's3',
    region,
  })
  const base = new URL(`${options.endpoint.replace(/\/$/, '')}/${options.bucket}`)

  const urlOf = (key: string | undefined, query: Readonly<Record<string, string>> = {}): string => {
    const path =
      key === undefined ? '' : `/${`${prefix}${key}`.split('/').map(encodeName).join('/')}`
    const url = new URL(`${base.href}${path}`)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    return url.href
  }
  /** Sends one request, with retries for transient errors. Returns any other response. */
  const ask = async (
    method: string,
    url: string,
    init: { headers?: Record<string, string>; body?: Uint8Array | string } = {},
  ): Promise<Response> => {
    // If the response of a conditional write is lost, the write may have succeeded and a retry would fail.
    const once =
      init.headers?.['if-none-match'] !== undefined || init.headers?.['if-match'] !== undefined
    const deadline = timeout !== false && {
      milliseconds: Math.min(timeout + (init.body?.length ?? 0) / MIN_TRANSFER_RATE, MAX_TIMER),
      error: () =>
        new SpindleError('ERR_TIMEOUT', `the bucket ${options.bucket} did not answer in time`, {
          remedy: { option: 'timeout', advice: 'raise % if the service is slow' },
        }),
    }
    for (let attempt = 1; ; attempt++) {
      const response = await inTime(deadline ? { deadline } : {}, async (signal) =>
        send(
          await client.sign(url, {
            method,
            signal,
            ...(init.headers !== undefined && { headers: init.headers }),
            ...(init.body !== undefined && { body: init.body as Uint8Array<ArrayBuffer> }),
            // Keys are already encoded, as S3 requires.
            aws: { singleEncode: true, allHeaders: false },
          }),
        ),
      ).catch((cause: unknown) => {
        if (!once && attempt < MAX_ATTEMPTS) return undefined
        if (isSpindleError(cause) && cause.code === 'ERR_TIMEOUT') throw cause
        throw new SpindleError(
          'ERR_NETWORK',
          `the bucket ${options.bucket} cannot be reached: check the endpoint and the network`,
          { cause },
        )
      })
      const busy =
        response === undefined ||
        (once ? [429, 503].includes(response.status) : isTransientStatus(response.status))
      if (response !== undefined && (!busy || attempt >= MAX_ATTEMPTS)) return response
      discard(response)
      await new Promise((resolve) => setTimeout(resolve, DELAY * 2 ** attempt * Math.random()))
    }
  }
  const failure = async (what: string, response: Response): Promise<SpindleError> => {
    const text = await readText(response).catch(() => '')
    const code = textOf(text, 'Code') ?? ''
    const message = `the bucket ${options.bucket} answered ${response.status} ${redactText(code, 100)} to ${what}`
    if (response.status === 403) return new SpindleError('ERR_UNAUTHORIZED', message)
    const { status } = response
    const [method = ''] = what.split(' ', 1)
    return new InvalidResponse(message, { status, method, url: redactUrl(base) })
  }

  const headOf = (key: string, response: Response, size: number): StoredHead => ({
    key,
    size,
    modified: Date.parse(response.headers.get('last-modified') ?? '') || 0,
    etag: response.headers.get('etag') ?? '',
  })
  const head = async (key: string): Promise<StoredHead | undefined> => {
    assertStorageKey(key)
    const response = await ask('HEAD', urlOf(key))
    if (response.status === 404) return undefined
    if (!response.ok) throw await failure(`HEAD ${key}`, response)
    return headOf(key, response, Number(response.headers.get('content-length') ?? 0))
  }

  /** Evaluates the response to a write. A failed condition is not an error. */
  const settle = async (what: string, response: Response): Promise<PutResult> => {
    const text = await readText(response)
    // 409: another conditional write of the same key is in progress and wins.
    // S3 answers 404 to `If-Match` for a missing key.
    if ([409, 412].includes(response.status)) return { stored: false }
    if (response.status === 404 && textOf(text, 'Code') === 'NoSuchKey') return { stored: false }
    // CompleteMultipartUpload can fail after the status 200.
    const etag = response.headers.get('etag') ?? textOf(text, 'ETag')
    if (!response.ok || /<Error[\s>]/.test(text) || etag === undefined)
      throw await failure(what, new Response(text, { status: response.status }))
    return { stored: true, etag }
  }

  const putParts = async (
    key: string,
    first: Uint8Array,
    pieces: Pieces,
    conditions: Record<string, string>,
  ): Promise<PutResult> => {
    const opened = await ask('POST', urlOf(key, { uploads: '' }))
    const text = await readText(opened)
    const uploadId = textOf(text, 'UploadId')
    if (!opened.ok || uploadId === undefined)
      throw await failure(`POST ${key}`, new Response(text, { status: opened.status }))
    try {
      const etags: string[] = []
      for (
        let part: Uint8Array | undefined = first;
        part !== undefined;
        part = await pieces.next()
      ) {
        const query = { partNumber: String(etags.length + 1), uploadId }
        const response = await ask('PUT', urlOf(key, query), { body: part })
        const etag = response.headers.get('etag')
        if (!response.ok || etag === null) throw await failure(`PUT ${key}`, response)
        discard(response)
        etags.push(etag)
      }
      const result = await settle(
        `POST ${key}`,
        await ask('POST', urlOf(key, { uploadId }), {
          headers: { 'content-type': 'application/xml', ...conditions },
          body: formatCompletion(etags),
        }),
      )
      if (!result.stored) await abort(key, uploadId)
      return result
    } catch (error) {
      await abort(key, uploadId).catch(() => {})
      throw error
    }
  }
  const abort = async (key: string, uploadId: string): Promise<void> => {
    const response = await ask('DELETE', urlOf(key, { uploadId }))
    discard(response)
  }

  return {
    head,

    async get(key, { range } = {}) {
      assertStorageKey(key)
      const from = range?.offset ?? 0
      const isPart = range !== undefined && (from > 0 || range.length !== undefined)
      if (isPart && range.length === 0) return emptyPart(await head(key))
      const last = range?.length === undefined ? '' : String(from + range.length - 1)
      const response = await ask('GET', urlOf(key), {
        headers: isPart ? { range: `bytes=${from}-${last}` } : {},
      })
      if (response.status === 404) return void discard(response)
      if (response.status === 416) {
        discard(response)
        return emptyPart(await head(key))
      }
      if (!response.ok) throw await failure(`GET ${key}`, response)
      const total = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]
      const size = Number(total ?? response.headers.get('content-length') ?? 0)
      return {
        ...headOf(key, response, size),
        body: streamInTime(response, pace, `the object ${key}`),
      }
    },

    async put(key, body, putOptions: PutOptions = {}) {
      assertStorageKey(key)
      const { ifAbsent = false, ifMatch } = putOptions
      if (ifAbsent || ifMatch !== undefined) {
        // Check first, to avoid uploading content that already exists.
        const now = await head(key)
        if ((ifAbsent && now !== undefined) || (ifMatch !== undefined && now?.etag !== ifMatch)) {
          await cancelBody(body)
          return { stored: false }
        }
      }
      const conditions: Record<string, string> = {
        ...(ifAbsent && { 'if-none-match': '*' }),
        ...(ifMatch !== undefined && { 'if-match': ifMatch }),
      }
      const pieces = readPieces(body, putOptions.size)
      try {
        const first = (await pieces.next())!
        const second = await pieces.next()
        if (second !== undefined)
          return await putParts(key, first, startingWith(second, pieces), conditions)
        const response = await ask('PUT', urlOf(key), {
          headers: { 'content-type': 'application/octet-stream', ...conditions },
          body: first,
        })
        return await settle(`PUT ${key}`, response)
      } catch (error) {
        await pieces.cancel()
        throw error
      }
    },

    async delete(key) {
      assertStorageKey(key)
      const response = await ask('DELETE', urlOf(key))
      if (!response.ok && response.status !== 404) throw await failure(`DELETE ${key}`, response)
      discard(response)
    },

    async list(start, { after = '', limit = LIST_LIMIT } = {}) {
      const response = await ask(
        'GET',
        urlOf(undefined, {
          'list-type': '2',
          'encoding-type': 'url',
          prefix: `${prefix}${start}`,
          'max-keys': String(Math.min(limit, LIST_LIMIT)),
          ...(after !== '' && { 'start-after': `${prefix}${after}` }),
        }),
      )
      if (!response.ok) throw await failure('a list', response)
      const { entries, more } = parseListing(await readText(response))
      return {
        entries: entries.map((entry) => ({ ...entry, key: entry.key.slice(prefix.length) })),
        more,
      }
    },
  }
}

function emptyPart(head: StoredHead | undefined) {
  return head === undefined ? undefined : { ...head, body: new Blob().stream() }
}

/** Percent-encodes like the signature: everything except letters, digits and `-._~`. */
function encodeName(name: string): string {
  return encodeURIComponent(name).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

async function readText(response: Response): Promise<string> {
  return decodeUtf8Lossy(await readBody(response, MAX_XML_BYTES, 'a response of the bucket'))
}
