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

/** Options of a Bindle server that decide which invoices it accepts. */
export interface AcceptOptions {
  /** Trusted keys. Default: none; signatures are then optional, but have to be valid. */
  keyring?: Keyring
  /** Which signatures are required; needs `keyring`. Default `greedy`. */
  strategy?: VerificationStrategy
  /**
   * Accepts a key only for the roles that it has in the keyring; needs `keyring`. The reference server
   * ignores roles. Default false.
   */
  honourRoles?: boolean
  /** Signs accepted invoices as `host`; its public key is added to the keyring. Default: none. */
  hostKey?: SecretKeyEntry
  /**
   * Most keys in an invoice; more are answered with 413. Default 160 000, for JSON 200 000: about 11 000
   * parcels.
   */
  maxInvoiceKeys?: number
}

/** Parses, verifies and countersigns a posted invoice, in the order of the reference server. */
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
        `parcel ${JSON.stringify(label.name)}: the media type is not a valid header value`,
      )
    }
  }
  return { id, invoice: accepted, bytes }
}

/**
 * Parses a JSON invoice again as the TOML that will be stored, which can be longer or impossible. An
 * unreadable stored invoice would break every query and garbage collection.
 */
function asStored(bytes: Uint8Array, limits: InvoiceLimits): Invoice {
  return asProblem(() => parseInvoice(bytes, 'invoice', 'toml', limits))
}

function limitsOf({ maxInvoiceKeys }: AcceptOptions): InvoiceLimits {
  return { maxKeys: maxInvoiceKeys, option: 'maxInvoiceKeys' }
}

/** A received invoice, not yet parsed. */
export interface PostedInvoice extends ReceivedBody {
  readonly format: 'toml' | 'json'
}

/** Creates a function that receives invoices, which are buffered until they are accepted. */
export function createInvoiceReceiver(
  options: AcceptOptions & { readonly maxBufferedBytes?: number },
): (request: Request) => Promise<PostedInvoice> {
  const longest = documentBytes(options.maxInvoiceKeys)
  const { maxBufferedBytes = Math.max(MAX_BUFFERED_BYTES, longest) } = options
  if (!Number.isSafeInteger(maxBufferedBytes) || maxBufferedBytes < 1)
    throw new TypeError(
      `"maxBufferedBytes" should be a positive integer and is ${maxBufferedBytes}`,
    )
  const most = Math.min(longest, maxBufferedBytes)
  const long = (): BindleProblem =>
    new BindleProblem(413, `the invoice is longer than ${most} bytes`)
  const room = createBodyRoom(maxBufferedBytes, {
    slow: () =>
      new BindleProblem(429, 'the invoice arrived too slowly while others waited: try again'),
    full: () =>
      new BindleProblem(
        429,
        'too many invoices arrive at once: try again in a moment, or raise "maxBufferedBytes" (--max-buffered-size on the command line)',
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
        : new BindleProblem(400, 'the invoice ended early: send it again')
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
      // Without a keyring, verify each signature with its own key, which detects damage only.
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

/** Rejects names that no URL can contain. The reference server accepts them, but cannot return them. */
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
      `invalid ID given: ${JSON.stringify(name)} cannot be used in a URL`,
    )
  }
}

/** @see RFC 9110, 5.5 */
function isHeaderValue(value: string): boolean {
  return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value)
}
