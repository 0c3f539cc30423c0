import { isSpindleError, ResponseError, SpindleError } from '../errors.ts'
import { discard } from '../http/response-body.ts'
import { createTransport } from '../http/transport.ts'
import { verifyStream } from '../bytes/verified.ts'
import type { BodySource, OperationOptions, Transport, TransportOptions } from '../types.ts'
import { baseOf, idPath, parcelPath } from './address.ts'
import { createAsker } from './ask.ts'
import type { BindleCredentials } from './credentials.ts'
import { reader, required, tables } from '../bytes/fields.ts'
import type { BindleId } from './id.ts'
import { paceLimitsOf, streamInTime } from '../http/timed-reader.ts'
import { parseBindleId } from './id.ts'
import { formatInvoice, type Invoice, type Label, readInvoice, readLabel } from './invoice.ts'
import { type Keyring, readKeyring } from './keyring.ts'

export interface BindleClientOptions extends Omit<TransportOptions, 'credentials'> {
  /** Sent with every request; a read that is refused with them is tried without. Default: anonymous. */
  credentials?: BindleCredentials
  /** Reuse a transport. Together with any option that makes one it is a `TypeError`. */
  transport?: Transport
  /**
   * Milliseconds of waiting in which a parcel must bring its share of `minRate`. Default 60000; `false`
   * for no limit, `minRate` included.
   */
  idleTimeout?: number | false
  /**
   * Bytes per second that a parcel must bring. Default 1024; `false` or 0: any byte in `idleTimeout` is
   * enough.
   */
  minRate?: number | false
  /** Most keys of an answer. Default 200 000, of TOML 160 000: an invoice of some 11 000 parcels. */
  maxKeys?: number | undefined
}

export interface QueryOptions extends OperationOptions {
  /** Versions that are meant, as Rust's semver writes ranges: `^1.2`, `>=1, <3`. Default: all. */
  version?: string
  /** Yanked invoices too. Default false; the reference server ignores it, this client does not. */
  yanked?: boolean
  /** Invoices asked for at once, 1 to 255. Default 50. */
  pageSize?: number
}

/** A Bindle server, endpoint by endpoint. `pushStandalone` and `pullBindle` are made of these. */
export interface BindleClient {
  /** As given, with the slash that paths are added after. */
  readonly server: URL
  /** @throws `ERR_NOT_FOUND`, also for a yanked one unless `yanked` is set */
  invoice(
    id: string | BindleId,
    options?: OperationOptions & { yanked?: boolean },
  ): Promise<Invoice>
  /** Creates it; `missing` lists each parcel to upload once. @throws `ERR_CONFLICT` when it exists */
  create(
    invoice: Invoice,
    options?: OperationOptions,
  ): Promise<{ invoice: Invoice; missing: readonly Label[] }>
  /** A parcel's bytes, checked against size and digest: don't act on them before the stream ends. */
  parcel(
    id: string | BindleId,
    label: Label,
    options?: OperationOptions,
  ): Promise<ReadableStream<Uint8Array>>
  /** @throws `ERR_CONFLICT` when the server has it, or an upload of it failed on a server before this library's */
  upload(
    id: string | BindleId,
    label: Label,
    body: BodySource,
    options?: OperationOptions & { onUpload?: (loaded: number) => void },
  ): Promise<void>
  /** Parcels that the invoice lists and the server lacks, each once. */
  missing(id: string | BindleId, options?: OperationOptions): Promise<readonly Label[]>
  /** Hides an invoice and its parcels, for good. */
  yank(id: string | BindleId, options?: OperationOptions): Promise<void>
  /** All invoices whose name has the words, page by page. An empty query means all. */
  query(query: string, options?: QueryOptions): AsyncIterable<Invoice>
  /** The server's own keys, of the role `host`. Servers before 0.9 have none to tell: `ERR_NOT_FOUND`. */
  keys(options?: OperationOptions): Promise<Keyring>
  /** What kind of server it is: before 0.9 unsigned invoices were taken. `undefined` when it can't be told. */
  generation(options?: OperationOptions): Promise<'0.8' | '0.9' | undefined>
}

/** A server that never stops saying `more` is stopped here: 500 000 invoices at 50 a page. */
const MAX_PAGES = 10_000

/**
 * Speaks to a Bindle server.
 *
 * Exported from `spindle/bindle`.
 *
 * @example Newest version of an application
 * ```ts
 * const client = createBindleClient('https://bindle.example/v1')
 * for await (const invoice of client.query('team/app')) console.log(invoice.bindle.version)
 * ```
 * @param server Base URL with the mount path, which ends in `/v1` as a rule.
 * @see Bindle, Protocol Specification
 */
export function createBindleClient(
  server: string | URL,
  options: BindleClientOptions = {},
): BindleClient {
  const base = baseOf(server)
  const { credentials, transport: given, maxKeys, idleTimeout, minRate, ...forTransport } = options
  if (given !== undefined && Object.values(forTransport).some((value) => value !== undefined)) {
    throw new TypeError('"transport" can\'t be given together with options that make one')
  }
  const pace = paceLimitsOf({ idleTimeout, minRate })
  const transport = given ?? createTransport(forTransport)

  const { send, open, ask } = createAsker(base, transport, credentials, maxKeys)

  return {
    server: base,
    async invoice(id, options = {}) {
      const { yanked = false, ...operation } = options
      const path = `_i/${idPath(id)}${yanked ? '?yanked=true' : ''}`
      const what = `the invoice of ${id}`
      const invoice = readInvoice((await ask('GET', path, what, { operation })).value, what)
      assertNamed(invoice, id)
      return invoice
    },
    async create(invoice, operation = {}) {
      const what = `the answer about ${invoice.bindle.name}/${invoice.bindle.version}`
      const answer = await ask('POST', '_i', what, {
        operation,
        body: formatInvoice(invoice),
        type: 'application/toml',
        once: true,
      })
      const fields = reader(answer.value, what)
      const stored = readInvoice(
        required(fields, 'invoice', (value) => value),
        what,
      )
      return { invoice: stored, missing: uniqueLabels(fields.take('missing'), what) }
    },
    async parcel(id, label, operation = {}) {
      const what = `the parcel ${label.sha256} of ${id}`
      const response = await open('GET', parcelPath(id, label), what, { operation, accept: '*/*' })
      return verifyStream(
        streamInTime(response, pace, what, operation.signal),
        { mediaType: label.mediaType, digest: `sha256:${label.sha256}`, size: label.size },
        operation.createHasher,
      )
    },
    async upload(id, label, body, options = {}) {
      const { onUpload, ...operation } = options
      await ask('POST', parcelPath(id, label), `the parcel ${label.sha256} of ${id}`, {
        operation,
        body,
        type: 'application/octet-stream',
        once: true,
        ...(onUpload === undefined ? {} : { onUpload }),
      })
    },
    async missing(id, operation = {}) {
      const what = `the missing parcels of ${id}`
      const { value } = await ask('GET', `_r/missing/${idPath(id)}`, what, { operation })
      return uniqueLabels(reader(value, what).take('missing'), what)
    },
    async yank(id, operation = {}) {
      await ask('DELETE', `_i/${idPath(id)}`, `the invoice of ${id}`, { operation })
    },
    async *query(query, options = {}) {
      const { version, yanked = false, pageSize = 50, ...operation } = options
      let offset = 0
      let limit = pageSize
      const askPage = async (): Promise<unknown> => {
        for (;;) {
          const parameters = new URLSearchParams({
            query,
            offset: String(offset),
            limit: String(limit),
            yanked: String(yanked),
          })
          if (version !== undefined) parameters.set('version', version)
          try {
            return (await ask('GET', `_q?${parameters}`, 'the query', { operation })).value
          } catch (error) {
            // Too many large invoices for one page: fewer at once.
            if (limit === 1 || !isTooLarge(error)) throw error
            limit = Math.ceil(limit / 2)
          }
        }
      }
      for (let page = 0; ; page++) {
        if (page >= MAX_PAGES)
          throw new SpindleError(
            'ERR_LIMIT_EXCEEDED',
            `the answer to the query has more than ${MAX_PAGES} pages: ask for more words, or raise "pageSize"`,
          )
        const fields = reader(await askPage(), 'the query')
        const invoices = fields.take('invoices')
        if (!Array.isArray(invoices))
          throw new SpindleError(
            'ERR_CONTENT_INVALID',
            'the answer to the query has no list of invoices',
          )
        for (const [index, entry] of invoices.entries()) {
          const invoice = readInvoice(entry, `invoice ${offset + index} of the query`)
          if (yanked || invoice.yanked !== true) yield invoice
        }
        offset += invoices.length
        if (fields.take('more') !== true || invoices.length === 0) return
      }
    },
    async keys(operation = {}) {
      return readKeyring(
        (await ask('GET', 'bindle-keys?roles=host', "the server's keys", { operation })).value,
        "the server's keys",
      )
    },
    async generation(operation = {}) {
      const response = await send('GET', '/healthz', { operation })
      const type = response.headers.get('content-type') ?? ''
      discard(response)
      if (!response.ok) return undefined
      return type.startsWith('application/json')
        ? '0.9'
        : type.startsWith('text/plain')
          ? '0.8'
          : undefined
    },
  }
}

/** An answer beyond the limits of this client, not a refusal of the server's. */
function isTooLarge(error: unknown): boolean {
  return (
    isSpindleError(error) &&
    error.code === 'ERR_LIMIT_EXCEEDED' &&
    !(error instanceof ResponseError)
  )
}

/** An answer about something else than was asked for is refused before anybody acts on it. */
function assertNamed({ bindle: { name, version } }: Invoice, id: string | BindleId): void {
  const asked = typeof id === 'string' ? parseBindleId(id) : id
  if (name !== asked.name || version !== asked.version)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `asked for ${asked.name}/${asked.version}, the server answers with ${JSON.stringify(`${name}/${version}`)}`,
    )
}

/** Servers repeat a label for each entry of the invoice. */
function uniqueLabels(value: unknown, what: string): Label[] {
  if (value === undefined) return []
  const labels = tables(readLabel)(value, `${what}: missing`)
  return [...new Map(labels.map((label) => [label.sha256, label])).values()]
}
