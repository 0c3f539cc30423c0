import { type PulledApp, unpackApp, type UnpackOptions } from '../spin/artifact/unpack.ts'
import { withCache } from '../store/cached.ts'
import { onSide } from '../store/side.ts'
import { assertVerifyOption } from '../store/verify-option.ts'
import type { Policy } from '../trust/policy/policy.ts'
import { openVerifier } from '../trust/verifier.ts'
import type { RemoteOptions, Source, Store, Verifier } from '../types.ts'
import { openSource } from './location.ts'

export type { Json } from '../bytes/json.ts'
export type * from '../registry/remote-types.ts'
export type * from '../trust/policy-types.ts'
export type {
  ComponentContents,
  PulledApp,
  PulledComponent,
  ReadImage,
} from '../spin/artifact/pulled-app.ts'
export type { UnpackOptions } from '../spin/artifact/unpack.ts'
export type {
  ContentRef,
  HostRequirements,
  LockedApp,
  LockedComponent,
  LockedDependency,
  LockedFile,
  LockedSource,
  LockedTrigger,
  LockedVariable,
  MustUnderstand,
} from '../spin/lock/locked-app.ts'
export type {
  FileTree,
  ReadStore,
  ReferrerStore,
  Source,
  Store,
  VerifiedSignature,
  Verifier,
} from '../types.ts'

/** Options of `pull`. */
export interface PullOptions extends RemoteOptions, UnpackOptions {
  /** Verifies the manifest before anything it points at is read. See `createVerifier`. */
  verify?: Verifier | Policy
  /** Store for content by digest: content in it is verified and not fetched again. */
  cache?: Store
}

/**
 * Opens an application in a registry or store; its contents are fetched on demand and verified.
 *
 * Exported from the main entry point and `spindle/pull`.
 *
 * @example Read a component and its files
 * ```ts
 * const app = await pull('ghcr.io/team/hello:1')
 * const wasm = await app.component('hello')
 * const files = await app.files('hello')
 * ```
 * @throws `ERR_NOT_FOUND`, `ERR_UNAUTHORIZED`, `ERR_NETWORK`, `ERR_DIGEST_MISMATCH`,
 * `ERR_CONTENT_INVALID` for content that is not a Spin application, `ERR_LIMIT_EXCEEDED`,
 * `ERR_POLICY_REJECTED` when `verify` refuses it.
 * @see {@link https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pull Distribution Spec, Pull}
 */
export async function pull(from: Source, options: PullOptions = {}): Promise<PulledApp> {
  assertVerifyOption(options)
  const opened = open(from, options)
  return onSide('source', opened)
}

async function open(from: Source, options: PullOptions): Promise<PulledApp> {
  // First, so that an invalid policy is refused whatever the registry has.
  const verifier =
    options.verify &&
    (await openVerifier(options.verify, () => import('../trust/policy-verifier.ts')))
  const { store, ref } = openSource(from, options)
  const { cache } = options
  const through = cache === undefined ? store : withCache(store, cache)
  const descriptor = await through.resolve(ref, { ...options, withBytes: true })
  const signatures = await verifier?.({ store, descriptor }, options)
  // Reads by digest from here on: a moved tag cannot replace the verified content.
  const app = await unpackApp(descriptor, through, options)
  return signatures === undefined ? app : { ...app, signatures }
}
