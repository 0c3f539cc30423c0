import type { CompiledComponent } from './compile.ts'

/** Another component whose exports are imports of this one: both share an instance tree. */
export interface ComponentDependency {
  /** By which the host tells its imports from those of the component itself. */
  readonly name: string
  readonly compiled: CompiledComponent
  /** The export by the import that it fills. */
  readonly filled: ReadonlyMap<string, string>
}
