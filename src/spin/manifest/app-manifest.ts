import type { Json } from '../../bytes/json.ts'

/**
 * A `spin.toml` in the form of manifest version 2, spelled as in the file; version 1 is converted.
 *
 * Only keys that the file has are there. All tables that take free keys have no prototype.
 *
 * Exported from `spindle/app`.
 *
 * @see https://spinframework.dev/manifest-reference
 */
export interface AppManifest {
  readonly spin_manifest_version: 2
  readonly application: ApplicationTable
  readonly variables?: Readonly<Record<string, VariableTable>>
  /** By trigger type, in file order. */
  readonly trigger: Readonly<Record<string, readonly TriggerTable[]>>
  /** By component id, in file order. */
  readonly component?: Readonly<Record<string, ComponentTable>>
}

export interface ApplicationTable {
  readonly name: string
  readonly version?: string
  readonly description?: string
  readonly authors?: readonly string[]
  readonly targets?: readonly TargetEnvironment[]
  /** Global trigger configuration by trigger type. */
  readonly trigger?: Readonly<Record<string, ConfigTable>>
  readonly tool?: Readonly<Record<string, ConfigTable>>
}

/** A table that Spin hands on unread: trigger configuration, settings of other tools. */
export type ConfigTable = Readonly<Record<string, Json>>

/** Where an application may run: a catalogue's name, or where its definition is. */
export type TargetEnvironment = string | { readonly url: string } | { readonly path: string }

/** A variable of the application; without a `default` it is `required`. */
export interface VariableTable {
  readonly description?: string
  readonly required?: boolean
  readonly default?: string
  readonly secret?: boolean
}

export interface TriggerTable {
  readonly id?: string
  /** A component's id, or a component in place. */
  readonly component?: string | ComponentTable
  readonly components?: Readonly<Record<string, readonly (string | ComponentTable)[]>>
  /** Components put before the triggered one, by role such as `middleware`. */
  readonly dependencies?: Readonly<Record<string, readonly ComponentDependency[]>>
  /** All other keys of the entry. */
  readonly config: ConfigTable
}

export interface ComponentTable {
  readonly source: ComponentSource
  readonly description?: string
  /** Values are templates such as `{{ name }}`. */
  readonly variables?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
  readonly files?: readonly ComponentFiles[]
  readonly exclude_files?: readonly string[]
  readonly allowed_http_hosts?: readonly string[]
  readonly allowed_outbound_hosts?: readonly string[]
  readonly key_value_stores?: readonly string[]
  readonly sqlite_databases?: readonly string[]
  readonly ai_models?: readonly string[]
  readonly targets?: readonly TargetEnvironment[]
  readonly build?: ComponentBuild
  readonly tool?: Readonly<Record<string, ConfigTable>>
  readonly dependencies_inherit_configuration?: boolean
  /** By dependency name: `namespace:package/interface@version` or a plain one. */
  readonly dependencies?: Readonly<Record<string, ComponentDependency>>
  readonly profile?: Readonly<Record<string, ComponentProfile>>
}

/** What a build profile puts over the component it belongs to. */
export interface ComponentProfile {
  readonly source?: ComponentSource
  readonly environment?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, ComponentDependency>>
  readonly build?: { readonly command?: string | readonly string[] }
}

/** A path from the manifest's folder, or where else the Wasm is. */
export type ComponentSource = string | RemoteSource | PackageSource

export interface RemoteSource {
  readonly url: string
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string
}

export interface PackageSource {
  readonly registry?: string
  /** `namespace:name` */
  readonly package: string
  /** Exact. */
  readonly version: string
}

/** A glob, file or folder kept at its own path, or one put elsewhere. */
export type ComponentFiles = string | { readonly source: string; readonly destination: string }

export interface ComponentBuild {
  readonly command: string | readonly string[]
  readonly workdir?: string
  readonly watch?: readonly string[]
}

/** Parts of a component's configuration that a dependency may be given. */
export type InheritableConfiguration =
  | 'ai_models'
  | 'allowed_outbound_hosts'
  | 'environment'
  | 'files'
  | 'key_value_stores'
  | 'sqlite_databases'
  | 'variables'

/** What a dependency may say whatever it comes from. */
export interface DependencyOptions {
  /** What of the dependency fits, when it isn't called as the name says. */
  readonly export?: string
  readonly inherit_configuration?: boolean | readonly InheritableConfiguration[]
}

/** A version requirement, or where the dependency's Wasm is. */
export type ComponentDependency =
  | string
  | (DependencyOptions & {
      readonly version: string
      readonly registry?: string
      readonly package?: string
    })
  | (DependencyOptions & { readonly path: string })
  | (DependencyOptions & { readonly url: string; readonly digest: string })
  | (DependencyOptions & { readonly component: string })
