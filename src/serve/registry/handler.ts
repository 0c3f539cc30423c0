import { createPortableHasher } from '../../bytes/digest.ts'
import { createBodyRoom, MAX_BUFFERED_BYTES } from '../../http/body-room.ts'
import { MAX_MANIFEST_BYTES } from '../../oci/manifest.ts'
import type { AuthScope, CreateHasher, FetchHandler } from '../../types.ts'
import { formatChallenge, isBusy, mergeChallenges } from '../http/authorize.ts'
import type { Authorization, Authorize, Challenge } from '../http/authorize.ts'
import {
  allowOrigin,
  answerPreflight,
  assertOrigins,
  isForeignPage,
  isSafeMethod,
  refusedPage,
} from '../http/cors.ts'
import type { CorsOptions } from '../http/cors.ts'
import { createHostCheck, refusedHost } from '../http/host-names.ts'
import type { HostNameOptions } from '../http/host-names.ts'
import { createMemoryStorage } from '../storage/memory.ts'
import type { Storage } from '../storage/port.ts'
import { answerJson } from '../http/answer.ts'
import { deleteBlob, pullBlob } from './blobs.ts'
import type { Call, RegistryContext } from './context.ts'
import { BODY_REFUSALS } from '../http/intake.ts'
import { deleteManifest, pullManifest, pushManifest } from './manifests.ts'
import { listReferrers } from './referrers.ts'
import { answerRefusal, methodNotAllowed, Refusal } from '../http/refusal.ts'
import { isRepositoryName } from '../../oci/reference.ts'
import { parseRoute } from './route.ts'
import type { Route } from './route.ts'
import { listCatalog, listTags } from './tags.ts'
import {
  createUploadLedger,
  MAX_REPOSITORY_UPLOAD_BYTES,
  MAX_REPOSITORY_UPLOADS,
  MAX_UPLOAD_BYTES,
  MAX_UPLOADS,
} from './upload-ledger.ts'
import type { UploadLimits } from './upload-ledger.ts'
import { sweepUploads, UPLOAD_TTL } from './upload-session.ts'
import { appendUpload, cancelUpload, describeUpload, finishUpload, startUpload } from './uploads.ts'

/** Largest blob: larger than any layer in use, smaller than a disk. */
export const MAX_BLOB_BYTES: number = 16 * 1024 ** 3

/** Handles one additional path of the registry, without authorization. */
export interface TokenEndpoint extends FetchHandler {
  /** Absolute path, such as `/token`. */
  readonly path: string
}

/** Options of `createRegistryHandler`. `allowedHosts` defaults to any name: `listen` restricts it on loopback. */
export interface RegistryHandlerOptions extends HostNameOptions {
  /** Storage of the content. Default: a new storage in memory. */
  storage?: Storage
  /** Authorizes requests. Default: everyone may read and write. */
  authorize?: Authorize
  /** Issues Bearer tokens: {@link createTokenService} returns it together with `authorize`. */
  tokenEndpoint?: TokenEndpoint
  /** Origins of pages that can use the registry. Default: only its own origin. */
  cors?: CorsOptions
  /** Answers every push and deletion with 405. Default false. */
  readOnly?: boolean
  /** Largest blob in bytes; a larger one is answered with 413. Default 16 GiB. */
  maxBlobBytes?: number
  /** Largest manifest in bytes; a larger one is answered with 413. Default 4 MiB. */
  maxManifestBytes?: number
  /** Milliseconds after which an inactive upload is removed. Default one day. */
  uploadTtl?: number
  /** Most concurrently open uploads; one more is answered with 429. Default 1000. */
  maxUploads?: number
  /** Most concurrently open uploads of one repository. Default 500. */
  maxRepositoryUploads?: number
  /** Most bytes of all unfinished uploads; more is answered with 429. Default 64 GiB. */
  maxUploadBytes?: number
  /** Most bytes of the unfinished uploads of one repository. Default 32 GiB. */
  maxRepositoryUploadBytes?: number
  /**
   * Most bytes of manifests and small blobs buffered in memory at the same time; above it, the slowest
   * request is answered with 429. Default 256 MiB.
   */
  maxBufferedBytes?: number
  /** Accepts manifests that refer to content that is not in the repository. Default false. */
  allowSparse?: boolean
  /** Streaming hasher for blobs above 1 MiB. Default: portable, a tenth as fast as a native one. */
  createHasher?: CreateHasher | undefined
  /** Called with failures of the storage and of the hooks; clients see only the status 500. */
  onError?: (error: unknown, request: Request) => void
}

/**
 * Creates an OCI registry as a `fetch` handler, with all of the distribution specification 1.1.
 *
 * Exported from `spindle/serve`.
 *
 * @example A registry in a test, without a network
 * ```ts
 * const registry = createRegistryHandler()
 * await push(app, 'registry.test/team/hello:1', { fetch: registry.fetch })
 * ```
 * @example A registry in a Worker for the pages of one site
 * ```ts
 * export default createRegistryHandler({ cors: { origins: ['https://app.example'] } })
 * ```
 * @param options Storage, access and limits.
 * @throws `TypeError` for an invalid option.
 * @see {@link https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md OCI Distribution Specification 1.1}
 */
export function createRegistryHandler(options: RegistryHandlerOptions = {}): FetchHandler {
  const { cors, tokenEndpoint, readOnly = false, onError } = options
  const hook = options.authorize
  const authorize: Authorize | undefined =
    hook && ((request, scope) => whenFree(async () => hook(request, scope)))
  if (cors !== undefined) assertOrigins(cors)
  const isAnswered = createHostCheck(options.allowedHosts ?? ['*'])
  const storage = options.storage ?? createMemoryStorage()
  const uploads: UploadLimits = {
    maxUploads: limit('maxUploads', options.maxUploads, MAX_UPLOADS),
    maxRepositoryUploads: limit(
      'maxRepositoryUploads',
      options.maxRepositoryUploads,
      MAX_REPOSITORY_UPLOADS,
    ),
    maxUploadBytes: limit('maxUploadBytes', options.maxUploadBytes, MAX_UPLOAD_BYTES),
    maxRepositoryUploadBytes: limit(
      'maxRepositoryUploadBytes',
      options.maxRepositoryUploadBytes,
      MAX_REPOSITORY_UPLOAD_BYTES,
    ),
  }
  const longest = limit('maxManifestBytes', options.maxManifestBytes, MAX_MANIFEST_BYTES)
  const maxBufferedBytes = limit(
    'maxBufferedBytes',
    options.maxBufferedBytes,
    Math.max(MAX_BUFFERED_BYTES, longest),
  )
  const context: RegistryContext = {
    storage,
    uploads: createUploadLedger(storage, uploads),
    createHasher: options.createHasher ?? createPortableHasher,
    // A blob above the limit of all uploads could never be accepted: answer 413 instead of 429.
    maxBlobBytes: Math.min(
      limit('maxBlobBytes', options.maxBlobBytes, MAX_BLOB_BYTES),
      uploads.maxUploadBytes,
      uploads.maxRepositoryUploadBytes,
    ),
    // The same for manifests and the limit of all buffered bodies.
    maxManifestBytes: Math.min(longest, maxBufferedBytes),
    bodies: createBodyRoom(maxBufferedBytes, BODY_REFUSALS),
    uploadTtl: limit('uploadTtl', options.uploadTtl, UPLOAD_TTL),
    allowSparse: options.allowSparse ?? false,
    open: authorize === undefined,
  }
  const sweep = createSweeper(context)

  const handle = async (request: Request, url: URL): Promise<Response> => {
    if (!isSafeMethod(request.method) && isForeignPage(request, url, cors))
      throw new Refusal(403, { code: 'DENIED', message: refusedPage(request) })
    if (tokenEndpoint !== undefined && url.pathname === tokenEndpoint.path)
      return mutable(await whenFree(() => tokenEndpoint.fetch(request)))
    const route = parseRoute(url.pathname, request.method)
    if (route === undefined)
      throw new Refusal(404, {
        code: 'UNSUPPORTED',
        message: 'not a path of the registry API: its paths begin with /v2/',
      })
    const actions = actionsOf(route, request.method)
    if (authorize !== undefined) await admit(authorize, request, url, route, actions)
    if (readOnly && actions.some((action) => action !== 'pull')) {
      throw new Refusal(
        405,
        { code: 'UNSUPPORTED', message: 'this registry is read-only' },
        { headers: { Allow: 'GET, HEAD, OPTIONS' } },
      )
    }
    if (route.kind === 'uploads') await sweep()
    // `return await`: workerd reports a promise that rejects at once as unhandled otherwise.
    return await dispatch(context, { request, url }, route, authorize)
  }

  return {
    async fetch(request) {
      let response: Response
      try {
        const url = new URL(request.url)
        if (!isAnswered(url)) throw new Refusal(421, { code: 'DENIED', message: refusedHost(url) })
        const preflight = answerPreflight(request, cors)
        if (preflight !== undefined) return preflight
        response = await handle(request, url)
      } catch (error) {
        response = answerRefusal(asRefusal(error, request, onError))
      }
      return finish(response, request, cors)
    },
  }
}

function dispatch(
  context: RegistryContext,
  call: Call,
  route: Route,
  authorize: Authorize | undefined,
): Promise<Response> | Response {
  const method = call.request.method === 'HEAD' ? 'GET' : call.request.method
  switch (route.kind) {
    case 'ping':
      if (method === 'GET') return answerJson({})
      throw methodNotAllowed('GET, HEAD')
    case 'catalog':
      if (method === 'GET') return listCatalog(context, call)
      throw methodNotAllowed('GET, HEAD')
    case 'tags':
      if (method === 'GET') return listTags(context, call, route.repository)
      throw methodNotAllowed('GET, HEAD')
    case 'referrers':
      if (method === 'GET') return listReferrers(context, call, route.repository, route.digest)
      throw methodNotAllowed('GET, HEAD')
    case 'manifest':
      if (method === 'GET') return pullManifest(context, call, route.repository, route.reference)
      if (method === 'PUT') return pushManifest(context, call, route.repository, route.reference)
      if (method === 'DELETE') return deleteManifest(context, route.repository, route.reference)
      throw methodNotAllowed('GET, HEAD, PUT, DELETE')
    case 'blob':
      if (method === 'GET') return pullBlob(context, call, route.repository, route.digest)
      if (method === 'DELETE') return deleteBlob(context, route.repository, route.digest)
      throw methodNotAllowed('GET, HEAD, DELETE')
    case 'uploads':
      if (method === 'POST')
        return startUpload(context, call, route.repository, (source) =>
          mayRead(authorize, call, source),
        )
      throw methodNotAllowed('POST')
    case 'upload':
      if (method === 'GET') return describeUpload(context, route.repository, route.id)
      if (method === 'PATCH') return appendUpload(context, call, route.repository, route.id)
      if (method === 'PUT') return finishUpload(context, call, route.repository, route.id)
      if (method === 'DELETE') return cancelUpload(context, route.repository, route.id)
      throw methodNotAllowed('GET, PATCH, PUT, DELETE')
  }
}

/** Copies a response of another handler: the headers of a response of `fetch` are immutable. */
function mutable(response: Response): Response {
  return new Response(response.body, response)
}

/** The actions of a request, as in scopes. */
function actionsOf(route: Route, method: string): AuthScope['actions'] {
  if (route.kind === 'ping') return []
  if (route.kind === 'uploads' || route.kind === 'upload') return ['pull', 'push']
  if (method === 'GET' || method === 'HEAD') return ['pull']
  return method === 'DELETE' ? ['delete'] : ['pull', 'push']
}

async function admit(
  authorize: Authorize,
  request: Request,
  url: URL,
  route: Route,
  actions: AuthScope['actions'],
): Promise<void> {
  const repository = 'repository' in route ? route.repository : ''
  const answer = await authorize(request, { registry: url.host, repository, actions })
  if (answer === true) return
  if (answer === false)
    throw new Refusal(403, {
      code: 'DENIED',
      message: 'these credentials do not allow this request',
    })
  // For a mount, challenge for both repositories, so that the client needs only one token.
  const source =
    route.kind === 'uploads' && url.searchParams.has('mount') ? url.searchParams.get('from') : null
  const second: Authorization =
    source === null || !isRepositoryName(source)
      ? true
      : await authorize(request, { registry: url.host, repository: source, actions: ['pull'] })
  throw unauthorized(
    typeof second === 'object'
      ? mergeChallenges(answer.challenge, second.challenge)
      : answer.challenge,
  )
}

async function mayRead(
  authorize: Authorize | undefined,
  { request, url }: Call,
  repository: string,
): Promise<boolean> {
  return (
    authorize === undefined ||
    (await authorize(request, { registry: url.host, repository, actions: ['pull'] })) === true
  )
}

/** Answers 429 if a hook is overloaded. */
async function whenFree<T>(decide: () => Promise<T>): Promise<T> {
  try {
    return await decide()
  } catch (error) {
    if (!isBusy(error)) throw error
    throw new Refusal(
      429,
      { code: 'TOOMANYREQUESTS', message: 'too many logins are being checked: try again later' },
      { headers: { 'Retry-After': '1' }, cause: error },
    )
  }
}

function unauthorized(challenge: Challenge): Refusal {
  return new Refusal(
    401,
    { code: 'UNAUTHORIZED', message: 'authentication required' },
    { headers: { 'WWW-Authenticate': formatChallenge(challenge) } },
  )
}

function asRefusal(
  error: unknown,
  request: Request,
  onError: RegistryHandlerOptions['onError'],
): Refusal {
  if (error instanceof Refusal) return error
  onError?.(error, request)
  // Internal errors are for the operator only: they can contain paths and keys.
  if (error instanceof Error && 'code' in error && error.code === 'ERR_LIMIT_EXCEEDED') {
    return new Refusal(507, { code: 'DENIED', message: 'the storage of the registry is full' })
  }
  return new Refusal(500, {
    code: 'UNSUPPORTED',
    message: 'internal error of the registry: ask its operator',
  })
}

/** Adds the headers of every response, and removes the body for `HEAD`. */
function finish(response: Response, request: Request, cors: CorsOptions | undefined): Response {
  const { headers, status } = response
  headers.set('Docker-Distribution-Api-Version', 'registry/2.0')
  // Blobs and manifests are untrusted content on this origin: no sniffing, scripts or framing.
  headers.set('X-Content-Type-Options', 'nosniff')
  headers.set('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; sandbox")
  allowOrigin(headers, request, cors)
  return request.method === 'HEAD' && response.body !== null
    ? new Response(null, { status, headers })
    : response
}

/** Removes inactive uploads, at most one page at the start of an upload, every hundredth of the time to live. */
function createSweeper(context: RegistryContext): () => Promise<void> {
  const pause = context.uploadTtl / 100
  let next = Date.now() + pause
  let after: string | undefined
  return async () => {
    if (Date.now() < next) return
    next = Date.now() + pause
    after = (await sweepUploads(context, after)).next
  }
}

function limit(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (!Number.isSafeInteger(value) || value < 0)
    throw new TypeError(`"${name}" should be a non-negative integer and is ${value}`)
  return value
}
