import { bodyOf } from '../../bytes/request-body.ts'
import { isSpindleError, SpindleError } from '../../errors.ts'
import { type BindleId, createBindleId } from '../../bindle/id.ts'
import {
  formatInvoice,
  type Invoice,
  type InvoiceLimits,
  parseInvoice,
} from '../../bindle/invoice.ts'
import {
  exportPublicKey,
  type Keyring,
  mergeKeyrings,
  openSecretKey,
  type SecretKeyEntry,
} from '../../bindle/keyring.ts'
import { signInvoice, type VerificationStrategy, verifyInvoice } from '../../bindle/signature.ts'
import { documentBytes } from '../../bytes/document-limits.ts'
import { createBodyRoom, MAX_BUFFERED_BYTES, type ReceivedBody } from '../../http/body-room.ts'
import { BindleProblem } from './answer.ts'
import { invoiceFormat } from './media-type.ts'

export interface AcceptOptions {
  /** Keys whose invoices are taken. Without it, signatures need only be valid, and none is needed. */
  keyring?: Keyring
  /** Default `greedy`. Only used with a keyring. */
  strategy?: VerificationStrategy
  /** Counts a key only for the roles that the keyring gives it. The reference server ignores them. Default false. */
  honourRoles?: boolean
  /** Signs what is accepted, as `host`; its public half joins the keyring. */
  hostKey?: SecretKeyEntry
  /** Most keys of an invoice; more is answered with 413. Default 160 000, of JSON 200 000: some 11 000 parcels. */
  maxInvoiceKeys?: number
}

/** Parses, checks and counter-signs a posted invoice, in the reference server's order. */
export async function acceptInvoice(
  posted: PostedInvoice,
  options: AcceptOptions,
): Promise<{ id: BindleId; invoice: Invoice; bytes: Uint8Array }> {
  const limits = limitsOf(options)
  const format = posted.format
  const invoice = asProblem(() => parseInvoice(posted.bytes, 'invoice', format, limits))
  await checkSignatures(invoice, options)
  const signed =
    options.hostKey === undefined ? invoice : await counterSign(invoice, options.hostKey)
  const bytes = asProblem(() => formatInvoice(signed))
  const accepted = format === 'toml' ? signed : asStored(bytes, limits)
  if (invoice.yanked === true) throw new BindleProblem(422, 'bindle cannot be created as yanked')
  const id = createBindleId(accepted.bindle.name, accepted.bindle.version)
  assertReachable(id)
  for (const { label } of invoice.parcel ?? []) {
    if (!/^[0-9a-f]{64}$/.test(label.sha256)) {
      throw new BindleProblem(
        400,
        `parcel ${JSON.stringify(label.name)}: ${JSON.stringify(label.sha256)} is not a SHA-256 in lower-case hexadecimal`,
      )
    }
    if (!isHeaderValue(label.mediaType)) {
      throw new BindleProblem(
        400,
        `parcel ${JSON.stringify(label.name)}: the media type can't be sent as a header`,
      )
    }
  }
  return { id, invoice: accepted, bytes }
}

/**
 * What came as JSON, as it is read once it is stored: it may have no form in TOML, or a longer one.
 * One that could not be read again would break every query and collection that meets it.
 */
function asStored(bytes: Uint8Array, limits: InvoiceLimits): Invoice {
  return asProblem(() => parseInvoice(bytes, 'invoice', 'toml', limits))
}

function limitsOf({ maxInvoiceKeys }: AcceptOptions): InvoiceLimits {
  return { maxKeys: maxInvoiceKeys, option: 'maxInvoiceKeys' }
}

/** An invoice as it came. */
export interface PostedInvoice extends ReceivedBody {
  readonly format: 'toml' | 'json'
}

/** Receives invoices, which are held in full until they are accepted. */
export function createInvoiceReceiver(
  options: AcceptOptions & { readonly maxBufferedBytes?: number },
): (request: Request) => Promise<PostedInvoice> {
  const longest = documentBytes(options.maxInvoiceKeys)
  const { maxBufferedBytes = Math.max(MAX_BUFFERED_BYTES, longest) } = options
  if (!Number.isSafeInteger(maxBufferedBytes) || maxBufferedBytes < 1)
    throw new TypeError(`"maxBufferedBytes" must be a whole number from 1 on`)
  const most = Math.min(longest, maxBufferedBytes)
  const long = (): BindleProblem =>
    new BindleProblem(413, `the invoice is longer than ${most} bytes`)
  const room = createBodyRoom(maxBufferedBytes, {
    slow: () =>
      new BindleProblem(429, 'the invoice came in too slowly while others waited: try again'),
    full: () =>
      new BindleProblem(
        429,
        'too many invoices come in at once: try again in a moment ("maxBufferedBytes", --max-buffered-size at a shell)',
      ),
    long,
  })
  return async (request) => {
    const format = invoiceFormat(request)
    if (Number(request.headers.get('content-length') ?? 0) > most) throw long()
    const body = bodyOf(request)
    if (body === null) return { bytes: new Uint8Array(), release() {}, format }
    try {
      return { ...(await room.receive(body, most)), format }
    } catch (error) {
      throw error instanceof BindleProblem
        ? error
        : new BindleProblem(400, 'the invoice ended early')
    }
  }
}

function asProblem<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof SpindleError) return refuse(error)
    throw error
  }
}

function refuse(error: SpindleError): never {
  if (error.code === 'ERR_LIMIT_EXCEEDED') throw new BindleProblem(413, error.message)
  throw new BindleProblem(400, `Request body toml deserialize error: ${error.message}`)
}

async function checkSignatures(
  invoice: Invoice,
  { keyring, strategy, honourRoles = false, hostKey }: AcceptOptions,
): Promise<void> {
  try {
    if (keyring === undefined) {
      // Nobody is known, so only damage can be found: each signer is taken at its word.
      const signers = {
        version: '1.0',
        key: (invoice.signature ?? []).map(({ by, key, role }) => ({
          label: by,
          roles: [role],
          key,
        })),
      } as const
      if (signers.key.length > 0) await verifyInvoice(invoice, signers, { strategy: 'exhaustive' })
      return
    }
    const own: Keyring = {
      version: '1.0',
      key: hostKey === undefined ? [] : [await exportPublicKey(hostKey)],
    }
    await verifyInvoice(invoice, mergeKeyrings(keyring, own), {
      honourRoles,
      ...(strategy !== undefined && { strategy }),
    })
  } catch (error) {
    if (!isSpindleError(error)) throw error
    const message =
      invoice.signature === undefined
        ? `signatures \`${error.message}\` cannot be verified`
        : error.message
    throw new BindleProblem(400, message)
  }
}

async function counterSign(invoice: Invoice, hostKey: SecretKeyEntry): Promise<Invoice> {
  try {
    return await signInvoice(invoice, await openSecretKey(hostKey), {
      role: 'host',
      by: hostKey.label,
    })
  } catch (error) {
    if (!isSpindleError(error) || error.code !== 'ERR_CONFLICT') throw error
    throw new BindleProblem(400, error.message)
  }
}

/** URLs can't carry these names back; the reference server takes them and loses them. */
function assertReachable({ name }: BindleId): void {
  const segments = name.split('/')
  if (
    name === '' ||
    name.includes('@') ||
    /\p{Cc}/u.test(name) ||
    segments.some((segment) => ['', '.', '..'].includes(segment))
  ) {
    throw new BindleProblem(
      400,
      `invalid ID given: ${JSON.stringify(name)} could not be asked for in a URL`,
    )
  }
}

/** @see RFC 9110, 5.5 */
function isHeaderValue(value: string): boolean {
  return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value)
}
