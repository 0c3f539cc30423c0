import type { Json } from '../../bytes/json.ts'
import type { Content, Digest } from '../../types.ts'

/**
 * An application as it stands in an artifact: `spin.toml` with every file replaced by its digest.
 * Spelled as on the wire.
 *
 * Exported from the main entry point and `spindle/app`.
 */
export interface LockedApp {
  /** 1 where a host must understand something to run it, else 0. */
  readonly spin_lock_version: 0 | 1
  readonly must_understand?: readonly MustUnderstand[]
  readonly metadata?: Readonly<Record<string, Json>>
  readonly host_requirements?: HostRequirements
  readonly variables?: Readonly<Record<string, LockedVariable>>
  readonly triggers: readonly LockedTrigger[]
  readonly components: readonly LockedComponent[]
}

export type MustUnderstand = 'host_requirements' | 'component_host_requirements'

/** By name, such as `local_service_chaining`. */
export type HostRequirements = Readonly<Record<string, 'required' | 'optional'>>

/** Without a `default` the variable must be given to run the application. */
export interface LockedVariable {
  readonly description?: string
  readonly default?: string
  readonly secret?: true
}

export interface LockedTrigger {
  readonly id: string
  readonly trigger_type: string
  /** For http: `route`, `executor` and `component`, or `static_response`. */
  readonly trigger_config: Json
}

export interface LockedComponent {
  readonly id: string
  readonly metadata?: Readonly<Record<string, Json>>
  readonly source: LockedSource
  readonly env?: Readonly<Record<string, string>>
  readonly files?: readonly LockedFile[]
  /** The component's variables: templates. */
  readonly config?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, LockedDependency>>
  readonly trigger_dependencies?: Readonly<Record<string, readonly LockedDependency[]>>
  readonly host_requirements?: HostRequirements
}

/** Content by digest; `inline` has the bytes too, in base64 without padding, where they are few. */
export interface ContentRef {
  readonly inline?: string
  readonly digest: Digest
}

export interface LockedSource extends ContentRef {
  readonly content_type: string
}

/** A file that the component sees at `/` and `path`. */
export interface LockedFile extends ContentRef {
  readonly path: string
}

export interface LockedDependency {
  readonly source: LockedSource
  readonly export: string | null
  readonly inherit?: 'All' | { readonly Some: readonly string[] }
}

/**
 * A locked application and its contents, inline ones included, by digest.
 *
 * Exported from `spindle/app`.
 */
export interface LockResult {
  readonly locked: LockedApp
  readonly contents: ReadonlyMap<Digest, Uint8Array | Content>
}
