import { bodyOf } from '../../bytes/request-body.ts'
import { isSpindleError } from '../../errors.ts'
import { orderedInvoice, orderedLabel } from '../../bindle/invoice.ts'
import { exportPublicKey } from '../../bindle/keyring.ts'
import type { CreateHasher, FetchHandler } from '../../types.ts'
import { mapBounded } from '../../bytes/concurrency.ts'
import {
  allowOrigin,
  answerPreflight,
  assertOrigins,
  type CorsOptions,
  isForeignPage,
  isSafeMethod,
  refusedPage,
} from '../http/cors.ts'
import { createHostCheck, type HostNameOptions, refusedHost } from '../http/host-names.ts'
import { answerBytes } from '../http/answer.ts'
import { createMemoryStorage } from '../storage/memory.ts'
import type { Storage } from '../storage/port.ts'
import {
  type AcceptOptions,
  acceptInvoice,
  createInvoiceReceiver,
  type PostedInvoice,
} from './accept-invoice.ts'
import { BindleProblem, documentAnswer, errorAnswer, textAnswer } from './answer.ts'
import { assertAuthorized, type BindleAccess, type BindleAuthorize } from './authorize.ts'
import { assertParcelType } from './media-type.ts'
import { type BindleTarget, parsePath } from './path.ts'
import { matchInvoices, parseQuery } from './query.ts'
import { assertFound, type BindleShelf, createShelf } from './shelf.ts'

/** Options of `createBindleHandler`. `allowedHosts` defaults to any name: `listen` restricts it on loopback. */
export interface BindleHandlerOptions extends AcceptOptions, HostNameOptions {
  /** Storage of invoices and parcels. Default: a new storage in memory. */
  storage?: Storage
  /** Base path of the API. Default `/v1`, the path that clients use. */
  basePath?: string
  /** Authorizes every request except preflights and `/healthz`. Default: everyone may read and write. */
  authorize?: BindleAuthorize
  /** Origins of pages that can use the server. Default: only its own origin. */
  cors?: CorsOptions
  /** Answers every write with 403. Default false. */
  readOnly?: boolean
  /** Largest parcel in bytes; a larger one is answered with 413. Default 1 GiB. */
  maxParcelBytes?: number
  /**
   * Most bytes of invoices buffered in memory at the same time; above it, the slowest request is answered
   * with 429. Default 256 MiB.
   */
  maxBufferedBytes?: number
  /** Starts a device login for `GET /login?provider=`. Default: none; the answer is 502. @see RFC 8628, 3.2 */
  login?: (provider: string) => Promise<BindleLogin>
  /** Streaming hasher for parcels. Default: portable, a tenth as fast as a native one. */
  createHasher?: CreateHasher | undefined
  /** Called with failures of the storage and of the hooks; clients see only the status 500. */
  onError?: (error: unknown, request: Request) => void
}

/** A device login. Names as on the wire. @see RFC 8628, 3.2, and Bindle, Protocol Specification, Login */
export interface BindleLogin {
  /** Code with which the client polls for the token. */
  readonly device_code: string
  /** Code that the user enters. */
  readonly user_code: string
  /** Page where the user enters the code. */
  readonly verification_uri: string
  /** The same page with the code filled in. */
  readonly verification_uri_complete?: string
  /** Lifetime of the codes in seconds. */
  readonly expires_in: number
  /** Least seconds between two polls. Default 5. */
  readonly interval?: number
  /** OAuth client identifier for polling. */
  readonly client_id: string
  /** Token endpoint for polling. */
  readonly token_url: string
}

/** Largest parcel: parcels are files of web applications, so a larger one is a mistake or an attack. */
const MAX_PARCEL_BYTES = 1024 * 1024 * 1024

/** Invoices read concurrently for one page of a query. */
const PAGE_READS = 8

/**
 * Creates a Bindle server as a `fetch` handler, wire-compatible with bindle-server 0.9.
 *
 * Exported from `spindle/serve`. Differs from the reference server: a failed upload can be repeated, HEAD
 * returns the headers of GET, queries omit yanked invoices, and percent-encoded ids equal literal ones.
 *
 * @example In a Worker
 * ```ts
 * export default createBindleHandler({ storage: createR2Storage(env.BUCKET) })
 * ```
 * @throws `TypeError` for an invalid option.
 * @see Bindle, Protocol Specification
 */
export function createBindleHandler(options: BindleHandlerOptions = {}): FetchHandler {
  const { storage = createMemoryStorage(), basePath = '/v1', cors, authorize } = options
  if (basePath !== '' && !/^(?:\/[A-Za-z0-9_.~-]+)+$/.test(basePath))
    throw new TypeError(
      `"basePath" should be a path such as "/v1" and is ${JSON.stringify(basePath)}`,
    )
  if (cors !== undefined) assertOrigins(cors)
  if (options.keyring === undefined && (options.strategy ?? options.honourRoles ?? false) !== false)
    throw new TypeError('"strategy" and "honourRoles" need a "keyring"')
  const isAnswered = createHostCheck(options.allowedHosts ?? ['*'])
  const shelf = createShelf(storage, options.createHasher)
  const receive = createInvoiceReceiver(options)

  const answer = async (request: Request, url: URL): Promise<Response> => {
    try {
      if (!isSafeMethod(request.method)) assertOwnPage(request, url, cors)
      const target = parsePath(url.pathname, basePath)
      // A GET with a side effect: it starts a login at the provider.
      if (target.kind === 'login') assertOwnPage(request, url, cors)
      if (target.kind === 'health')
        return documentAnswer(asJson(request), 200, { status: 'OK', version: '0.9.1' })
      await assertAuthorized(request, accessOf(request, target), authorize)
      return await dispatch(request, url, target, shelf, receive, options)
    } catch (error) {
      if (error instanceof BindleProblem) return errorAnswer(request, error.status, error.message)
      options.onError?.(error, request)
      return isSpindleError(error) && error.code === 'ERR_LIMIT_EXCEEDED'
        ? errorAnswer(request, 507, 'the storage of the server is full')
        : errorAnswer(request, 500, 'internal server error')
    }
  }

  return {
    async fetch(request) {
      const url = new URL(request.url)
      if (!isAnswered(url)) return errorAnswer(request, 421, refusedHost(url))
      const response =
        (cors === undefined ? undefined : answerPreflight(request, cors)) ??
        (await answer(request, url))
      allowOrigin(response.headers, request, cors)
      return response
    },
  }
}

function assertOwnPage(request: Request, url: URL, cors: CorsOptions | undefined): void {
  if (isForeignPage(request, url, cors)) throw new BindleProblem(403, refusedPage(request))
}

/** `/healthz` always answers JSON. */
function asJson(request: Request): Request {
  return new Request(request.url, {
    method: request.method === 'HEAD' ? 'HEAD' : 'GET',
    headers: { accept: 'application/json' },
  })
}

function isRead(request: Request): boolean {
  return request.method === 'GET' || request.method === 'HEAD'
}

function accessOf(request: Request, target: BindleTarget): BindleAccess {
  const action = isRead(request) ? 'read' : request.method === 'DELETE' ? 'yank' : 'push'
  return 'id' in target ? { action, id: String(target.id) } : { action }
}

async function dispatch(
  request: Request,
  url: URL,
  target: BindleTarget,
  shelf: BindleShelf,
  receive: ReturnType<typeof createInvoiceReceiver>,
  options: BindleHandlerOptions,
): Promise<Response> {
  if (options.readOnly === true && !isRead(request))
    throw new BindleProblem(403, 'this server is read-only')
  switch (target.kind) {
    case 'health':
    case 'unknown':
      return new Response(null, { status: 404 })
    case 'query':
      return isRead(request)
        ? query(request, url, shelf)
        : textAnswer(request, 405, 'HTTP method not allowed')
    case 'keys':
      return isRead(request)
        ? keys(request, url, options)
        : textAnswer(request, 405, 'HTTP method not allowed')
    case 'login':
      return login(request, url, options)
    case 'invoices':
      if (request.method === 'POST') {
        const posted = await receive(request)
        try {
          return await create(request, shelf, posted, options)
        } finally {
          posted.release()
        }
      }
      throw new BindleProblem(
        400,
        isRead(request) ? 'invalid ID given' : 'Invalid URL. Missing Bindle ID and/or parcel SHA',
      )
    case 'missing': {
      const invoice = assertUsable(assertFound(await shelf.invoice(target.id)))
      return documentAnswer(request, 200, {
        missing: (await shelf.missing(invoice)).map(orderedLabel),
      })
    }
    case 'invoice':
      return invoice(request, url, target, shelf)
    case 'parcel':
      return parcel(request, target, shelf, options)
  }
}

function assertUsable<T extends { readonly yanked?: boolean }>(invoice: T): T {
  if (invoice.yanked === true) throw new BindleProblem(403, 'bindle is yanked')
  return invoice
}

async function create(
  request: Request,
  shelf: BindleShelf,
  posted: PostedInvoice,
  options: BindleHandlerOptions,
): Promise<Response> {
  const { id, invoice: accepted, bytes } = await acceptInvoice(posted, options)
  await assertAuthorized(request, { action: 'push', id: String(id) }, options.authorize)
  await shelf.create(id, bytes)
  const missing = await shelf.missing(accepted)
  return documentAnswer(request, missing.length === 0 ? 201 : 202, {
    invoice: orderedInvoice(accepted),
    ...(missing.length === 0 ? {} : { missing: missing.map(orderedLabel) }),
  })
}

async function invoice(
  request: Request,
  url: URL,
  target: BindleTarget & { kind: 'invoice' },
  shelf: BindleShelf,
): Promise<Response> {
  if (request.method === 'DELETE') {
    assertFound(await shelf.invoice(target.id))
    await shelf.yank(target.id)
    return documentAnswer(request, 200, { message: 'invoice yanked' })
  }
  if (!isRead(request))
    throw new BindleProblem(400, 'Invalid URL. Missing Bindle ID and/or parcel SHA')
  const found = assertFound(await shelf.invoice(target.id))
  return documentAnswer(
    request,
    200,
    orderedInvoice(url.searchParams.get('yanked') === 'true' ? found : assertUsable(found)),
  )
}

async function parcel(
  request: Request,
  target: BindleTarget & { kind: 'parcel' },
  shelf: BindleShelf,
  options: BindleHandlerOptions,
): Promise<Response> {
  const owner = assertUsable(assertFound(await shelf.invoice(target.id)))
  const label = owner.parcel?.find((entry) => entry.label.sha256 === target.sha256)?.label
  if (label === undefined)
    throw new BindleProblem(
      400,
      `Parcel SHA ${target.sha256} does not exist in invoice ${target.id}`,
    )
  if (request.method === 'POST') {
    assertParcelType(request, label)
    const limit = options.maxParcelBytes ?? MAX_PARCEL_BYTES
    if (label.size > limit)
      throw new BindleProblem(
        413,
        `parcel ${target.sha256} has ${label.size} bytes, more than the limit of ${limit}`,
      )
    await shelf.putParcel(label, bodyOf(request) ?? new Blob().stream())
    return documentAnswer(request, 200, { message: 'parcel created' })
  }
  if (!isRead(request))
    throw new BindleProblem(400, 'Invalid URL. Missing Bindle ID and/or parcel SHA')
  const found = assertFound(await shelf.parcel(target.sha256))
  const headers = new Headers({
    'content-type': label.mediaType,
    'cache-control': 'private',
    // Parcels are untrusted content: do not render them as pages of this origin.
    'content-security-policy': 'sandbox',
    'content-disposition': 'attachment',
    'x-content-type-options': 'nosniff',
  })
  if (request.method !== 'HEAD')
    return answerBytes(found.body, found.size, { status: 200, headers })
  await found.body.cancel()
  headers.set('content-length', String(found.size))
  return new Response(null, { headers })
}

async function query(request: Request, url: URL, shelf: BindleShelf): Promise<Response> {
  const parsed = parseQuery(url.searchParams)
  if (parsed === undefined) return textAnswer(request, 400, 'Invalid query string')
  const matches = matchInvoices(await shelf.list(), parsed)
  const page = matches.slice(parsed.offset, parsed.offset + parsed.limit)
  const invoices = await mapBounded(page, PAGE_READS, (id) => shelf.invoice(id))
  return documentAnswer(request, 200, {
    query: parsed.query,
    strict: parsed.strict,
    offset: parsed.offset,
    limit: parsed.limit,
    total: matches.length,
    more: matches.length > parsed.offset + page.length,
    yanked: parsed.yanked,
    invoices: invoices.filter((entry) => entry !== undefined).map(orderedInvoice),
  })
}

async function keys(
  request: Request,
  url: URL,
  { hostKey }: BindleHandlerOptions,
): Promise<Response> {
  const roles = url.searchParams.getAll('roles').flatMap((list) => list.split(','))
  if (
    roles.some(
      (role) => !['creator', 'approver', 'host', 'proxy'].includes(role.trim().toLowerCase()),
    )
  ) {
    return textAnswer(request, 400, 'Invalid query string')
  }
  if (roles.length > 1 || (roles.length === 1 && roles[0]?.trim().toLowerCase() !== 'host')) {
    throw new BindleProblem(
      400,
      'This bindle server implementation only supports returning keys with the role of `host`. Please only specify `host` as a role (or omit the parameter)',
    )
  }
  const entries =
    hostKey === undefined ? [] : [{ ...(await exportPublicKey(hostKey)), roles: ['host'] }]
  return documentAnswer(request, 200, { version: '1.0', key: entries })
}

async function login(request: Request, url: URL, options: BindleHandlerOptions): Promise<Response> {
  const provider = url.searchParams.get('provider')
  if (provider === null) return textAnswer(request, 400, 'Invalid query string')
  if (options.login === undefined) throw new BindleProblem(502, 'this server has no login provider')
  return documentAnswer(request, 200, { ...(await options.login(provider)) })
}
