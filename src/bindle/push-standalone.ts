import { isSpindleError, SpindleError } from '../errors.ts'
import { forEachBounded } from '../bytes/concurrency.ts'
import { COLLECT_BYTES } from '../bytes/digest.ts'
import { describeContent, readExactly } from '../bytes/stream.ts'
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
  const { invoice, missing } = await createOrResume(client, bindle, operation)
  assertInHand(missing, bindle)

  onProgress?.({
    type: 'plan',
    blobs: labels.length,
    bytes: labels.reduce((sum, label) => sum + label.size, 0),
  })
  const wanted = new Set(missing.map((label) => label.sha256))
  for (const label of labels) {
    const there = !wanted.has(label.sha256)
    onProgress?.({
      type: 'blob',
      descriptor: descriptorOf(label),
      status: there ? 'exists' : 'waiting',
      loaded: there ? label.size : 0,
    })
  }
  const failures = new Map<string, unknown>()
  await forEachBounded(
    missing,
    concurrency,
    async (label, inner) => {
      const descriptor = descriptorOf(label)
      const body = await checked(
        bindle.parcels.get(label.sha256) as Uint8Array | Content,
        descriptor,
        { ...operation, signal: inner },
      )
      onProgress?.({ type: 'blob', descriptor, status: 'active', loaded: 0 })
      try {
        await client.upload(bindle.id, label, body, { ...operation, signal: inner })
        onProgress?.({ type: 'blob', descriptor, status: 'done', loaded: label.size })
      } catch (error) {
        inner.throwIfAborted()
        if (!isAmbiguous(error)) throw error
        failures.set(label.sha256, error)
      }
    },
    signal,
  )
  if (failures.size > 0) await settle(client, bindle, failures, options)
  return { invoice, uploaded: missing.length }
}

/** An answer may be lost after the upload was kept, and 409 may mean that another one is at it. */
function isAmbiguous(error: unknown): boolean {
  return (
    isSpindleError(error) &&
    (error.code === 'ERR_CONFLICT' || error.code === 'ERR_NETWORK' || error.code === 'ERR_TIMEOUT')
  )
}

/** What came of the uploads that are in doubt: only the server's list of the missing can tell. */
async function settle(
  client: BindleClient,
  bindle: StandaloneBindle,
  failures: ReadonlyMap<string, unknown>,
  options: PushStandaloneOptions,
): Promise<void> {
  const missing = await client.missing(
    bindle.id,
    options.signal === undefined ? {} : { signal: options.signal },
  )
  const absent = new Set(missing.map((label) => label.sha256))
  for (const label of uniqueLabels(bindle.invoice)) {
    if (failures.has(label.sha256) && !absent.has(label.sha256)) {
      options.onProgress?.({
        type: 'blob',
        descriptor: descriptorOf(label),
        status: 'exists',
        loaded: label.size,
      })
    }
  }
  const lost = [...failures].filter(([sha256]) => absent.has(sha256))
  if (lost.length === 0) return
  const refused = lost
    .filter(([, error]) => isSpindleError(error) && error.code === 'ERR_CONFLICT')
    .map(([sha256]) => sha256)
  if (refused.length === 0) throw lost[0]?.[1]
  throw new SpindleError(
    'ERR_CONFLICT',
    `the server lacks ${refused.join(', ')} of ${bindle.id}, yet refuses the upload as already there: another push is at it, or an earlier one broke off and left its mark. Try again in a while; if it stays so, only the server's operator can remove the empty folder of that parcel. Another version would not help`,
    { cause: lost[0]?.[1] },
  )
}

async function createOrResume(
  client: BindleClient,
  bindle: StandaloneBindle,
  operation: OperationOptions,
): Promise<{ invoice: Invoice; missing: readonly Label[] }> {
  try {
    return await client.create(bindle.invoice, operation)
  } catch (error) {
    operation.signal?.throwIfAborted()
    // A lost answer, a race, or a server that can't say 409 for what it has signed itself.
    const stored = await storedInvoice(client, bindle.id, operation)
    if (stored === undefined) throw error
    assertSame(stored, bindle, error)
    return { invoice: stored, missing: await client.missing(bindle.id, operation) }
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
  const shas = (invoice: Invoice): string =>
    (invoice.parcel ?? []).map((parcel) => parcel.label.sha256).join()
  const same =
    String(createBindleId(stored.bindle.name, stored.bindle.version)) === String(bindle.id) &&
    shas(stored) === shas(bindle.invoice)
  if (!same)
    throw new SpindleError(
      'ERR_CONFLICT',
      `Bindle ${bindle.id} already exists on the server with other content; bindles never change: give the application another version, or build metadata of its own`,
      { cause },
    )
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
