import type { BindleClient } from '../bindle/client.ts'
import type { BindleId } from '../bindle/id.ts'
import type { Invoice, Label } from '../bindle/invoice.ts'
import type { Keyring } from '../bindle/keyring.ts'
import { openBindle } from '../bindle/open-bindle.ts'
import { verifyInvoice, type VerifyInvoiceOptions } from '../bindle/signature.ts'
import type { StandaloneBindle } from '../bindle/standalone.ts'
import { openStream } from '../bytes/stream.ts'
import { SpindleError } from '../errors.ts'
import { bindleToLock } from '../spin/bindle/from-bindle.ts'
import { packApp, type PackedApp, type PackOptions } from '../spin/artifact/pack.ts'
import { type PulledApp, unpackApp, type UnpackOptions } from '../spin/artifact/unpack.ts'
import type { Content, OperationOptions, TransferEvent } from '../types.ts'

/** A server and the id there, or a standalone bindle in hand. */
export type BindleSource =
  { readonly client: BindleClient; readonly id: string | BindleId } | StandaloneBindle

/** `NAME/VERSION` that the artifact was. */
const ID_ANNOTATION = 'spindle.bindle.id'
/** Who had signed the invoice, as JSON: the signatures themselves cover the invoice, not the artifact. */
const SIGNATURES_ANNOTATION = 'spindle.bindle.signatures'

export interface PullBindleOptions extends UnpackOptions {
  /** Open only what these keys vouch for. Without it, digests are checked, signers are not. */
  verify?: VerifyInvoiceOptions & { readonly keyring: Keyring }
}

/**
 * Opens a Spin application in a bindle, in the form that `pull` gives: to be read, run, or pushed on.
 *
 * Exported from `spindle/bindle`. Contents are fetched as they are
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
  options: PullBindleOptions & Pick<PackOptions, 'annotations'> = {},
): Promise<{ packed: PackedApp; invoice: Invoice }> {
  const bindle = 'client' in from ? await openBindle(from.client, from.id, options) : from
  const { invoice } = bindle
  if (options.verify !== undefined)
    await verifyInvoice(invoice, options.verify.keyring, options.verify)
  options.onProgress?.(planOf(invoice))
  const lock = await bindleToLock(invoice, (label) => parcelOf(bindle, label), options)
  return {
    packed: await packApp(lock, {
      ...signalOf(options),
      annotations: { ...annotationsOf(invoice), ...options.annotations },
    }),
    invoice,
  }
}

function planOf({ parcel = [] }: Invoice): TransferEvent {
  const sizes = new Map(parcel.map(({ label }) => [label.sha256, label.size]))
  return {
    type: 'plan',
    blobs: sizes.size,
    bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
  }
}

/** What the artifact was, which its digest alone doesn't tell. */
function annotationsOf({ bindle, signature }: Invoice): Record<string, string> {
  return {
    [ID_ANNOTATION]: `${bindle.name}/${bindle.version}`,
    ...(signature === undefined || signature.length === 0
      ? {}
      : {
          [SIGNATURES_ANNOTATION]: JSON.stringify(
            signature.map(({ by, role, key, at }) => ({ by, role, key, at })),
          ),
        }),
  }
}

function parcelOf({ id, parcels }: StandaloneBindle, { sha256, name, size }: Label): Content {
  const content = parcels.get(sha256)
  if (content === undefined)
    throw new SpindleError(
      'ERR_FILE_MISSING',
      `the standalone bindle ${id} lacks the parcel ${sha256} (${name}): prepare it anew`,
    )
  return { size, stream: () => openStream(content) }
}

function signalOf({ signal, createHasher }: OperationOptions): OperationOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(createHasher === undefined ? {} : { createHasher }),
  }
}
