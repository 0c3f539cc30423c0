import type {
  Descriptor,
  Digest,
  FileTree,
  OperationOptions,
  ReadStore,
  VerifiedSignature,
} from '../../types.ts'
import type { LockedApp } from '../lock/locked-app.ts'

/** What a component of an `App` and of a `PulledApp` share: its id, and its contents on demand. */
export interface ComponentContents {
  readonly id: string
  /** All bytes of its Wasm. */
  wasm(options?: OperationOptions): Promise<Uint8Array>
  /** Its static files, as it sees them: `a/b` is its `/a/b`. */
  files(options?: OperationOptions): Promise<FileTree>
}

/** A component of a `PulledApp`. Its contents are fetched and checked when they are asked for. */
export interface PulledComponent extends ComponentContents {
  /** The Wasm that fills one of its imports, by the name it has in the lock. */
  dependency(name: string, options?: OperationOptions): Promise<Uint8Array>
}

/** An application in a registry or store: its lock is read, contents come when they are asked for. */
export interface PulledApp {
  /** `name` of the lock's metadata; empty where it has none. */
  readonly name: string
  /** `version` of the lock's metadata, where it has one. */
  readonly version?: string
  /** In the order of the lock. */
  readonly components: readonly PulledComponent[]
  /** What was resolved: a manifest, or an index with one. */
  readonly descriptor: Descriptor
  /** The manifest's bytes, as they were signed and hashed. */
  readonly manifestBytes: Uint8Array
  readonly annotations: Readonly<Record<string, string>>
  readonly locked: LockedApp
  /** Those that were asked for and held; empty when none were asked for. */
  readonly signatures: readonly VerifiedSignature[]
  /** Where it was read from: copying `descriptor` out of it gives the same digest elsewhere. */
  readonly store: ReadStore
  /**
   * Contents by digest, where they are in memory already: those of a container image, which had to
   * be unpacked to find its application. Absent for Spin's own artifacts.
   */
  readonly unpacked?: ReadonlyMap<Digest, Uint8Array>
  /** A component's Wasm, checked. Rejects with `ERR_NOT_FOUND` when there is no such component. */
  component(id: string, options?: OperationOptions): Promise<Uint8Array>
  /** The Wasm that fills an import of a component, by the name it has in the lock; as `component`. */
  dependency(id: string, name: string, options?: OperationOptions): Promise<Uint8Array>
  /** The static files of one component, unpacked and checked: what it sees at `/`. */
  files(id: string, options?: OperationOptions): Promise<FileTree>
  /** All Wasm and files by digest, checked: with `locked` they are what `packApp` takes. */
  contents(options?: OperationOptions): Promise<ReadonlyMap<Digest, Uint8Array>>
}

/** Reads an application out of the layers of a container image: `readImage`. */
export type ReadImage = (
  layers: readonly Descriptor[],
  store: ReadStore,
  options: OperationOptions & {
    readonly maxBytes?: number | undefined
    readonly maxFiles?: number | undefined
  },
) => Promise<{
  readonly locked: LockedApp
  readonly contents: ReadonlyMap<Digest, Uint8Array>
}>
