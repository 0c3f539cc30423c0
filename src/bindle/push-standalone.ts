import { InvalidResponse, isSpindleError, SpindleError } from '../errors.ts'
import { forEachBounded } from '../bytes/concurrency.ts'
import { COLLECT_BYTES } from '../bytes/digest.ts'
import { describeContent } from '../bytes/describe.ts'
import { readExactly } from '../bytes/stream.ts'
import type { Content, Descriptor, OperationOptions } from '../types.ts'
import type { BindleClient } from './client.ts'
import { assertPushableId, type BindleId, createBindleId } from './id.ts'
import type { Invoice, Label } from './invoice.ts'
import type { StandaloneBindle } from './standalone.ts'

/** What Workers and browsers open to one host at once. */
const CONCURRENCY = 6

export interface PushStandaloneOptions extends OperationOptions {
  /** Parcels in flight at once. Default 6. */
  concurrency?: number
}

export interface PushStandaloneResult {
  /** As the server keeps it, with its own signature where it signs. */
  readonly invoice: Invoice
  readonly uploaded: number
}

/**
 * Pushes a bundle of invoice and parcels, or what is missing of it there.
 *
 * Exported from `spindle/bindle`. Resolves only once the server says that nothing is missing: it
 * shows an invoice before its parcels have come, so that alone proves nothing. Called again after
 * a failure it goes on where it stopped.
 *
 * @throws `ERR_CONFLICT` when another invoice of this id is there, or parcels that can't be
 * uploaded any more; `ERR_FILE_MISSING` for parcels that nobody has; `ERR_DIGEST_MISMATCH` when a
 * file isn't what its label says, before anything of it is sent
 * @see Bindle, Protocol Specification, Creating a Bindle
 */
export async function pushStandalone(
  client: BindleClient,
  bindle: StandaloneBindle,
  options: PushStandaloneOptions = {},
): Promise<PushStandaloneResult> {
  const { concurrency = CONCURRENCY, signal, onProgress } = options
  const operation: OperationOptions = {
    ...(signal === undefined ? {} : { signal }),
    ...(options.createHasher === undefined ? {} : { createHasher: options.createHasher }),
  }
  assertPushableId(bindle.id)
  const labels = uniqueLabels(bindle.invoice)
  for (const label of labels) assertLabel(label, bindle)
  const { invoice, resumed, missing } = await createOrResume(client, bindle, operation)
  let wanted = shasOf(missing)

  onProgress?.({
    type: 'plan',
    blobs: labels.length,
    bytes: labels.reduce((sum, label) => sum + label.size, 0),
  })
  const report = (label: Label, status: 'waiting' | 'active' | 'done' | 'exists'): void => {
    const loaded = status === 'done' || status === 'exists' ? label.size : 0
    onProgress?.({ type: 'blob', descriptor: descriptorOf(label), status, loaded })
  }
  for (const label of labels) report(label, wanted.has(label.sha256) ? 'waiting' : 'exists')

  const tried = new Map<string, unknown>()
  const send = async (label: Label, inner: AbortSignal): Promise<void> => {
    const content = bindle.parcels.get(label.sha256) as Uint8Array | Content
    const during = { ...operation, signal: inner }
    const body = await checked(content, descriptorOf(label), during)
    report(label, 'active')
    try {
      await client.upload(bindle.id, label, body, during)
      tried.set(label.sha256, undefined)
      report(label, 'done')
    } catch (error) {
      inner.throwIfAborted()
      if (!isAmbiguous(error)) throw error
      tried.set(label.sha256, error)
    }
  }
  // Its list of the missing counts, and nothing else: a server where an upload once broke off takes
  // an invoice for complete that isn't.
  for (let isSure = resumed; ; isSure = true) {
    const next = labels.filter(({ sha256 }) => wanted.has(sha256) && !tried.has(sha256))
    if (next.length === 0 && isSure) break
    assertInHand(next, bindle)
    await forEachBounded(next, concurrency, send, signal)
    wanted = shasOf(await client.missing(bindle.id, operation))
  }
  assertNothingLost(wanted, tried, bindle)
  // What was in doubt has arrived after all.
  for (const label of labels) if (tried.get(label.sha256) !== undefined) report(label, 'exists')
  return { invoice, uploaded: tried.size }
}

/** An answer may be lost after the upload was kept, and 409 may mean that another one is at it. */
function isAmbiguous(error: unknown): boolean {
  return (
    isSpindleError(error) &&
    (error.code === 'ERR_CONFLICT' || error.code === 'ERR_NETWORK' || error.code === 'ERR_TIMEOUT')
  )
}

/** @throws for the parcels that the server lacks though they were sent, or refuses. */
function assertNothingLost(
  missing: ReadonlySet<string>,
  tried: ReadonlyMap<string, unknown>,
  { id }: StandaloneBindle,
): void {
  const lost = [...tried].filter(([sha256]) => missing.has(sha256))
  if (lost.length === 0) return
  const [, cause] = lost[0] ?? []
  const refused = lost
    .filter(([, error]) => isSpindleError(error) && error.code === 'ERR_CONFLICT')
    .map(([sha256]) => sha256)
  if (refused.length > 0)
    throw new SpindleError(
      'ERR_CONFLICT',
      `the server lacks ${refused.join(', ')} of ${id}, yet refuses the upload as already there: another push is at it, or an earlier one broke off and left its mark. Try again in a while; if it stays so, only the server's operator can remove the empty folder of that parcel. Another version would not help`,
      { cause },
    )
  if (cause !== undefined) throw cause
  throw new InvalidResponse(
    `the server took ${lost.map(([sha256]) => sha256).join(', ')} of ${id}, and lacks it all the same: try again, or ask its operator`,
    // Each upload was answered with a success.
    { status: 200, method: 'POST', url: `_i/${id}@${lost[0]?.[0]}` },
  )
}

async function createOrResume(
  client: BindleClient,
  bindle: StandaloneBindle,
  operation: OperationOptions,
): Promise<{ invoice: Invoice; resumed: boolean; missing: readonly Label[] }> {
  try {
    const { invoice, missing } = await client.create(bindle.invoice, operation)
    if (!isSame(invoice, bindle))
      throw new SpindleError(
        'ERR_CONTENT_INVALID',
        `the server answers with another invoice than that of ${bindle.id}`,
      )
    return { invoice, resumed: false, missing }
  } catch (error) {
    operation.signal?.throwIfAborted()
    // A lost answer, a race, or a server that can't say 409 for what it has signed itself.
    const stored = await storedInvoice(client, bindle.id, operation)
    if (stored === undefined) throw error
    assertSame(stored, bindle, error)
    return {
      invoice: stored,
      resumed: true,
      missing: await client.missing(bindle.id, operation),
    }
  }
}

async function storedInvoice(
  client: BindleClient,
  id: BindleId,
  operation: OperationOptions,
): Promise<Invoice | undefined> {
  try {
    return await client.invoice(id, { ...operation, yanked: true })
  } catch (error) {
    if (isSpindleError(error) && error.code === 'ERR_NOT_FOUND') return undefined
    throw error
  }
}

function assertSame(stored: Invoice, bindle: StandaloneBindle, cause: unknown): void {
  if (stored.yanked === true)
    throw new SpindleError(
      'ERR_CONFLICT',
      `${bindle.id} was yanked on the server, and can't come back: give the application another version`,
      { cause },
    )
  if (!isSame(stored, bindle))
    throw new SpindleError(
      'ERR_CONFLICT',
      `Bindle ${bindle.id} already exists on the server with other content; bindles never change: give the application another version, or build metadata of its own`,
      { cause },
    )
}

/** What signatures cover, and what makes two invoices one. */
function isSame(stored: Invoice, { id, invoice }: StandaloneBindle): boolean {
  const shas = ({ parcel = [] }: Invoice): string => parcel.map(({ label }) => label.sha256).join()
  return (
    String(createBindleId(stored.bindle.name, stored.bindle.version)) === String(id) &&
    shas(stored) === shas(invoice)
  )
}

function shasOf(labels: readonly Label[]): Set<string> {
  return new Set(labels.map(({ sha256 }) => sha256))
}

function uniqueLabels(invoice: Invoice): Label[] {
  return [...new Map((invoice.parcel ?? []).map(({ label }) => [label.sha256, label])).values()]
}

function descriptorOf(label: Label): Descriptor {
  return { mediaType: label.mediaType, digest: `sha256:${label.sha256}`, size: label.size }
}

function assertLabel(label: Label, { id, parcels }: StandaloneBindle): void {
  if (!/^[0-9a-f]{64}$/.test(label.sha256))
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the parcel ${JSON.stringify(label.name)} of ${id} has ${JSON.stringify(label.sha256)} for a SHA-256`,
    )
  const content = parcels.get(label.sha256)
  const size = content instanceof Uint8Array ? content.length : content?.size
  if (size !== undefined && size !== label.size)
    throw new SpindleError(
      'ERR_DIGEST_MISMATCH',
      `the parcel ${JSON.stringify(label.name)} of ${id} has ${size} bytes, and ${label.size} by its label`,
    )
}

function assertInHand(missing: readonly Label[], { id, parcels }: StandaloneBindle): void {
  const lacking = missing.filter((label) => !parcels.has(label.sha256))
  if (lacking.length === 0) return
  throw new SpindleError(
    'ERR_FILE_MISSING',
    `neither the server nor this standalone bindle has ${lacking.map((label) => `${label.sha256} (${label.name})`).join(', ')} of ${id}`,
  )
}

/**
 * Hashed before the first byte goes out: on the reference server an upload that turns out wrong
 * makes its digest unusable for good.
 */
async function checked(
  content: Uint8Array | Content,
  expected: Descriptor,
  operation: OperationOptions,
): Promise<Uint8Array | Content> {
  const body =
    expected.size <= COLLECT_BYTES
      ? await readExactly(content, expected.size, expected.digest, operation.signal)
      : content
  const { digest } = await describeContent(body, expected.mediaType, operation)
  if (digest !== expected.digest)
    throw new SpindleError(
      'ERR_DIGEST_MISMATCH',
      `content of ${expected.digest} has the digest ${digest}: it changed since the invoice was made; make it anew`,
    )
  return body
}
