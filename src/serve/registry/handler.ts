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
import { answerRefusal, Refusal } from '../http/refusal.ts'
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

/** A blob may be as large as that: more than any layer in use, less than a disk. */
export const MAX_BLOB_BYTES: number = 16 * 1024 ** 3

/** Answers a path of its own beside the registry's, before authorization. */
export interface TokenEndpoint extends FetchHandler {
  /** Absolute path, as `/token`. */
  readonly path: string
}

/** `allowedHosts` defaults to any name: `listen` restricts it on loopback. */
export interface RegistryHandlerOptions extends HostNameOptions {
  /** Where content is kept. Default: memory of its own. */
  storage?: Storage
  /** Who may do what. Default: everybody everything. */
  authorize?: Authorize
  /** Where clients get Bearer tokens: {@link createTokenService} gives it together with `authorize`. */
  tokenEndpoint?: TokenEndpoint
  /** Pages that may use the registry. Default: those of its own origin only. */
  cors?: CorsOptions
  /** Refuses every push and deletion with 405. Default false. */
  readOnly?: boolean
  /** Most bytes of one blob; more is answered with 413. Default 16 GiB. */
  maxBlobBytes?: number
  /** Most bytes of one manifest; more is answered with 413. Default 4 MiB. */
  maxManifestBytes?: number
  /** Milliseconds after which an upload that nobody continues is removed. Default one day. */
  uploadTtl?: number
  /** Most uploads open at once; one more is answered with 429. Default 1000. */
  maxUploads?: number
  /** Of one repository. Default 500. */
  maxRepositoryUploads?: number
  /** Most bytes of all uploads that are not finished; more is answered with 429. Default 64 GiB. */
  maxUploadBytes?: number
  /** Of one repository. Default 32 GiB. */
  maxRepositoryUploadBytes?: number
  /**
   * Most bytes of all manifests and small blobs that come in at once, as they are held in memory;
   * above it the slowest is answered with 429. Default 256 MiB.
   */
  maxBufferedBytes?: number
  /** Takes manifests that refer to what isn't in the repository. Default false. */
  allowSparse?: boolean
  /** Streaming hasher for blobs above 1 MiB. Default: portable, a tenth as fast as a native one. */
  createHasher?: CreateHasher | undefined
  /** Told of failures of the storage and of the hooks; clients only see a 500. */
  onError?: (error: unknown, request: Request) => void
}

/**
 * An OCI registry as a `fetch` handler: the whole distribution specification 1.1.
 *
 * Exported from `spindle/serve`.
 *
 * @example A registry in a test, without a network
 * ```ts
 * const registry = createRegistryHandler()
 * await push(app, 'registry.test/team/hello:1', { fetch: registry.fetch })
 * ```
 * @example A registry in a Worker that one site may use
 * ```ts
 * export default createRegistryHandler({ cors: { origins: ['https://app.example'] } })
 * ```
 * @param options Storage, access and limits.
 * @throws TypeError for options that can't be.
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
    // What would never fit among the uploads is too large at once.
    maxBlobBytes: Math.min(
      limit('maxBlobBytes', options.maxBlobBytes, MAX_BLOB_BYTES),
      uploads.maxUploadBytes,
      uploads.maxRepositoryUploadBytes,
    ),
    // What would never fit among the bodies is too large at once.
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
        message: 'not a path of a registry: they begin with /v2/',
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
    // Awaited here: what is refused at once would else be reported as caught by nobody in a Worker.
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
      throw wrongMethod('GET, HEAD')
    case 'catalog':
      if (method === 'GET') return listCatalog(context, call)
      throw wrongMethod('GET, HEAD')
    case 'tags':
      if (method === 'GET') return listTags(context, call, route.repository)
      throw wrongMethod('GET, HEAD')
    case 'referrers':
      if (method === 'GET') return listReferrers(context, call, route.repository, route.digest)
      throw wrongMethod('GET, HEAD')
    case 'manifest':
      if (method === 'GET') return pullManifest(context, call, route.repository, route.reference)
      if (method === 'PUT') return pushManifest(context, call, route.repository, route.reference)
      if (method === 'DELETE') return deleteManifest(context, route.repository, route.reference)
      throw wrongMethod('GET, HEAD, PUT, DELETE')
    case 'blob':
      if (method === 'GET') return pullBlob(context, call, route.repository, route.digest)
      if (method === 'DELETE') return deleteBlob(context, route.repository, route.digest)
      throw wrongMethod('GET, HEAD, DELETE')
    case 'uploads':
      if (method === 'POST')
        return startUpload(context, call, route.repository, (source) =>
          mayRead(authorize, call, source),
        )
      throw wrongMethod('POST')
    case 'upload':
      if (method === 'GET') return describeUpload(context, route.repository, route.id)
      if (method === 'PATCH') return appendUpload(context, call, route.repository, route.id)
      if (method === 'PUT') return finishUpload(context, call, route.repository, route.id)
      if (method === 'DELETE') return cancelUpload(context, route.repository, route.id)
      throw wrongMethod('GET, PATCH, PUT, DELETE')
  }
}

/** What another handler gives may be what `fetch` gave it, with headers that can't be changed. */
function mutable(response: Response): Response {
  return new Response(response.body, response)
}

/** What a request wants to do, in the words of scopes. */
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
      message: 'that is not allowed with these credentials',
    })
  // Who mounts is told of both scopes at once, so that one token will do.
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

/** Refuses with 429 what can't be decided now. */
async function whenFree<T>(decide: () => Promise<T>): Promise<T> {
  try {
    return await decide()
  } catch (error) {
    if (!isBusy(error)) throw error
    throw new Refusal(
      429,
      { code: 'TOOMANYREQUESTS', message: 'too many logins are being checked: try again' },
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

function wrongMethod(allow: string): Refusal {
  return new Refusal(
    405,
    { code: 'UNSUPPORTED', message: `that can't be done here; ${allow} can` },
    { headers: { Allow: `${allow}, OPTIONS` } },
  )
}

function asRefusal(
  error: unknown,
  request: Request,
  onError: RegistryHandlerOptions['onError'],
): Refusal {
  if (error instanceof Refusal) return error
  onError?.(error, request)
  // What failed inside is the operator's business: the client learns no paths and no keys.
  if (error instanceof Error && 'code' in error && error.code === 'ERR_LIMIT_EXCEEDED') {
    return new Refusal(507, { code: 'DENIED', message: 'the registry has no room for that' })
  }
  return new Refusal(500, {
    code: 'UNSUPPORTED',
    message: 'the registry failed; its operator can see why',
  })
}

/** Headers that every answer has; and no body for `HEAD`, whatever was answered. */
function finish(response: Response, request: Request, cors: CorsOptions | undefined): Response {
  const { headers, status } = response
  headers.set('Docker-Distribution-Api-Version', 'registry/2.0')
  // Blobs and manifests are anybody's bytes on this origin: never sniffed, never run, never framed.
  headers.set('X-Content-Type-Options', 'nosniff')
  headers.set('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; sandbox")
  allowOrigin(headers, request, cors)
  return request.method === 'HEAD' && response.body !== null
    ? new Response(null, { status, headers })
    : response
}

/** Looks for abandoned uploads now and then, a page at a time, when somebody begins another. */
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
    throw new TypeError(`"${name}" must be a whole number from 0 on`)
  return value
}
