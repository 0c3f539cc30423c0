import type { BindleClient } from '../bindle/client.ts'
import type { BindleId } from '../bindle/id.ts'
import type { Invoice, Label } from '../bindle/invoice.ts'
import type { Keyring } from '../bindle/keyring.ts'
import { openBindle } from '../bindle/open-bindle.ts'
import {
  type VerifiedInvoiceSigner,
  verifyInvoice,
  type VerifyInvoiceOptions,
} from '../bindle/signature.ts'
import type { StandaloneBindle } from '../bindle/standalone.ts'
import { openStream } from '../bytes/stream.ts'
import { SpindleError } from '../errors.ts'
import { bindleToLock } from '../spin/bindle/from-bindle.ts'
import { packApp, type PackedApp, type PackOptions } from '../spin/artifact/pack.ts'
import { type PulledApp, unpackApp, type UnpackOptions } from '../spin/artifact/unpack.ts'
import type { Content, OperationOptions, TransferEvent } from '../types.ts'

/** A bindle on a server, or a local standalone bindle. */
export type BindleSource =
  | {
      /** Client of the server. */
      readonly client: BindleClient
      /** Id there, as in `team/hello/1.0.0`. */
      readonly id: string | BindleId
    }
  | StandaloneBindle

/** Id of the bindle that the artifact was made from, as `NAME/VERSION`. */
const ID_ANNOTATION = 'spindle.bindle.id'
/**
 * Signers of the invoice, as JSON. The signatures are left out: they cover the invoice, not the
 * artifact.
 */
const SIGNATURES_ANNOTATION = 'spindle.bindle.signatures'

/** Which signatures of an invoice count, by keys of which keyring. */
export interface BindlePolicy extends VerifyInvoiceOptions {
  /** Trusted keys. */
  readonly keyring: Keyring
}

/** Decides whether an invoice can be used: returns the signers that count, or rejects. */
export type BindleVerifier = (
  invoice: Invoice,
  options?: OperationOptions,
) => Promise<readonly VerifiedInvoiceSigner[]>

/** Options of `pullBindle`. */
export interface PullBindleOptions extends UnpackOptions {
  /**
   * Requires signatures by keys of a keyring, or what a function accepts. Default: digests are checked,
   * signatures are not.
   */
  verify?: BindlePolicy | BindleVerifier
}

/**
 * Opens a Spin application in a bindle, in the form that `pull` returns: it can be read, run or
 * pushed.
 *
 * Exported from `spindle/bindle`. Contents are fetched on
 * demand and verified.
 *
 * @example Open an application on a Bindle server
 * ```ts
 * const app = await pullBindle({ client, id: 'team/hello/1.0.0' })
 * ```
 * @throws `ERR_NOT_FOUND`, `ERR_CONTENT_INVALID` for content that is not a Spin application,
 * `ERR_DIGEST_MISMATCH`, `ERR_POLICY_REJECTED` and `ERR_SIGNATURE_INVALID` with `verify`
 */
export async function pullBindle(
  from: BindleSource,
  options: PullBindleOptions = {},
): Promise<PulledApp> {
  const { packed } = await packBindle(from, options)
  return unpackApp(packed.descriptor, packed.store, options)
}

/** @internal The artifact made from a bindle. Its contents are not read yet. */
export async function packBindle(
  from: BindleSource,
  options: PullBindleOptions & Pick<PackOptions, 'annotations'> = {},
): Promise<{ packed: PackedApp; invoice: Invoice }> {
  const bindle = 'client' in from ? await openBindle(from.client, from.id, options) : from
  const { invoice } = bindle
  if (options.verify !== undefined) await assertVerified(invoice, options.verify, options)
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

async function assertVerified(
  invoice: Invoice,
  verify: BindlePolicy | BindleVerifier,
  options: OperationOptions,
): Promise<void> {
  const signers: unknown =
    typeof verify === 'function'
      ? await verify(invoice, options)
      : await verifyInvoice(invoice, verify.keyring, verify)
  if (!Array.isArray(signers))
    throw new TypeError('`verify` returned no list of signers: pass `{ keyring }`, or a verifier')
}

function planOf({ parcel = [] }: Invoice): TransferEvent {
  const sizes = new Map(parcel.map(({ label }) => [label.sha256, label.size]))
  return {
    type: 'plan',
    blobs: sizes.size,
    bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
  }
}

/** Annotations that record the origin of the artifact. */
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
      `the standalone bindle ${id} lacks the parcel ${sha256} (${name}): prepare it again`,
    )
  return { size, stream: () => openStream(content) }
}

function signalOf({ signal, createHasher }: OperationOptions): OperationOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(createHasher === undefined ? {} : { createHasher }),
  }
}
