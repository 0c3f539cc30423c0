import type { Finding } from '../../errors.ts'
import type { Content, FileTree } from '../../types.ts'
import type {
  AppManifest,
  ComponentTable,
  InheritableConfiguration,
  TriggerTable,
} from '../manifest/app-manifest.ts'
import type { PackedApp, PackOptions } from '../artifact/pack.ts'
import type { ComponentContents } from '../artifact/pulled-app.ts'

export interface PackableOptions extends PackOptions {
  /**
   * Pack components with their `dependencies` beside them, to be composed by the host: this library
   * and Spin 3.0 and later do that. Default false: each becomes one component with all that it
   * depends on, as `spin registry push` does it, and every host can run it.
   */
  uncomposed?: boolean
}

/**
 * What `push` takes: it knows how to become an artifact, so that pushing need not.
 *
 * Exported from `spindle/app`; an `App` is one, and so is any object with this method.
 */
export interface Packable {
  pack(options?: PackableOptions): Promise<PackedApp>
}

/**
 * An application in hand: its manifest is valid and all that it names was found.
 *
 * Exported from the main entry point and `spindle/app`; `loadApp` makes one. `pack` reads the object that it is called
 * on: a copy with other components packs those.
 */
export interface App extends Packable {
  /** `application.name` of the manifest. */
  readonly name: string
  /** `application.version` of the manifest, where it has one. */
  readonly version?: string
  /** In the form of version 2, normalized: each trigger has an id, each component a name, the profile is applied. */
  readonly manifest: AppManifest
  /** Path of the manifest in `files`. */
  readonly manifestPath: string
  /** Everything that was given; of a folder, a drop or chosen files, what the manifest names. */
  readonly files: FileTree
  /** In file order: types, then entries. */
  readonly triggers: readonly AppTrigger[]
  /** What the manifest's components use, in file order, components written in place last. */
  readonly components: readonly AppComponent[]
  readonly profile?: string
  /** Non-fatal findings, each with a place in the manifest. */
  readonly warnings: readonly Finding[]
}

/** A trigger with what is put before its component. */
export interface AppTrigger {
  readonly id: string
  readonly type: string
  readonly table: TriggerTable
  /** By role. */
  readonly dependencies: ReadonlyMap<string, readonly AppDependency[]>
}

/** A component with its contents. */
export interface AppComponent extends ComponentContents {
  readonly table: ComponentTable
  /** Its Wasm, as it is packed. */
  readonly wasmContent: Uint8Array | Content
  /** As the component sees them: `a/b` is its `/a/b`. */
  readonly fileTree: FileTree
  readonly dependencies: ReadonlyMap<string, AppDependency>
}

/** The Wasm that fills one import of a component. */
export interface AppDependency {
  readonly wasm: Uint8Array | Content
  readonly export?: string
  readonly inherit?: 'all' | readonly InheritableConfiguration[]
}
