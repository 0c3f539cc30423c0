import type { BindleClient } from '../bindle/client.ts'
import type { BindleId } from '../bindle/id.ts'
import type { Invoice, Label } from '../bindle/invoice.ts'
import type { Keyring } from '../bindle/keyring.ts'
import { verifyInvoice, type VerifyInvoiceOptions } from '../bindle/signature.ts'
import type { StandaloneBindle } from '../bindle/standalone.ts'
import { chunksOf, openStream } from '../bytes/stream.ts'
import { SpindleError } from '../errors.ts'
import { bindleToLock } from '../spin/from-bindle.ts'
import { packApp, type PackedApp, type PackOptions } from '../spin/pack.ts'
import { type PulledApp, unpackApp, type UnpackOptions } from '../spin/unpack.ts'
import type { Content, OperationOptions } from '../types.ts'

/** A server and the id there, or a standalone bindle in hand. */
export type BindleSource =
  { readonly client: BindleClient; readonly id: string | BindleId } | StandaloneBindle

export interface PullBindleOptions extends UnpackOptions {
  /** Open only what these keys vouch for. Without it, digests are checked, signers are not. */
  verify?: VerifyInvoiceOptions & { readonly keyring: Keyring }
}

/**
 * Opens a Spin application in a bindle, in the form that `pull` gives: to be read, run, or pushed on.
 *
 * Exported from the main entry point and from `spindle/bindle`. Contents are fetched as they are
 * asked for, and checked.
 *
 * @example
 * ```ts
 * const app = await pullBindle({ client, id: 'team/hello/1.0.0' })
 * ```
 * @throws `ERR_NOT_FOUND`, `ERR_CONTENT_INVALID` for what is no Spin application,
 * `ERR_DIGEST_MISMATCH`, `ERR_POLICY_REJECTED` and `ERR_SIGNATURE_INVALID` with `verify`
 */
export async function pullBindle(
  from: BindleSource,
  options: PullBindleOptions = {},
): Promise<PulledApp> {
  const { packed } = await packBindle(from, options)
  return unpackApp(packed.descriptor, packed.store, options)
}

/** @internal The artifact that a bindle makes, its contents still where they are. */
export async function packBindle(
  from: BindleSource,
  options: PullBindleOptions & { pack?: (invoice: Invoice) => PackOptions } = {},
): Promise<{ packed: PackedApp; invoice: Invoice }> {
  const invoice = 'client' in from ? await from.client.invoice(from.id, options) : from.invoice
  if (options.verify !== undefined)
    await verifyInvoice(invoice, options.verify.keyring, options.verify)
  const lock = await bindleToLock(invoice, (label) => openParcel(from, label, options), options)
  return {
    packed: await packApp(lock, { ...signalOf(options), ...options.pack?.(invoice) }),
    invoice,
  }
}

function openParcel(from: BindleSource, label: Label, options: OperationOptions): Content {
  if (!('client' in from)) {
    const content = from.parcels.get(label.sha256)
    if (content === undefined)
      throw new SpindleError(
        'ERR_FILE_MISSING',
        `the standalone bindle ${from.id} lacks the parcel ${label.sha256} (${label.name}): prepare it anew`,
      )
    return { size: label.size, stream: () => openStream(content) }
  }
  return {
    size: label.size,
    stream() {
      let chunks: AsyncGenerator<Uint8Array> | undefined
      return new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            try {
              chunks ??= chunksOf(
                await from.client.parcel(from.id, label, signalOf(options)),
                options.signal,
              )
              const { done, value } = await chunks.next()
              if (done === true) controller.close()
              else controller.enqueue(value)
            } catch (error) {
              controller.error(error)
            }
          },
          cancel: async () => void (await chunks?.return(undefined)),
        },
        { highWaterMark: 0 },
      )
    },
  }
}

function signalOf({ signal, createHasher }: OperationOptions): OperationOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(createHasher === undefined ? {} : { createHasher }),
  }
}
