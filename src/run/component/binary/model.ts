/**
 * A component as its binary says it, before anything is resolved: definitions in file order, with
 * indices into the index spaces they grow. Aliases, types and instances stay what they are.
 *
 * @see WebAssembly component model, `design/mvp/Binary.md`
 */

import type { CoreInterface } from './core-interface.ts'

export type Primitive =
  | 'bool'
  | 's8'
  | 'u8'
  | 's16'
  | 'u16'
  | 's32'
  | 'u32'
  | 's64'
  | 'u64'
  | 'f32'
  | 'f64'
  | 'char'
  | 'string'

/** A primitive by name, or an index into the type space. */
export type ValueType = Primitive | number

export type Labelled = readonly [label: string, type: ValueType]

export type TypeDef =
  | { readonly kind: 'primitive'; readonly type: Primitive }
  | { readonly kind: 'record'; readonly fields: readonly Labelled[] }
  | {
      readonly kind: 'variant'
      readonly cases: ReadonlyArray<readonly [string, ValueType | undefined]>
    }
  | { readonly kind: 'list'; readonly element: ValueType }
  | { readonly kind: 'tuple'; readonly elements: readonly ValueType[] }
  | { readonly kind: 'flags'; readonly labels: readonly string[] }
  | { readonly kind: 'enum'; readonly labels: readonly string[] }
  | { readonly kind: 'option'; readonly element: ValueType }
  | {
      readonly kind: 'result'
      readonly ok: ValueType | undefined
      readonly err: ValueType | undefined
    }
  | { readonly kind: 'own' | 'borrow'; readonly resource: number }
  | { readonly kind: 'stream' | 'future'; readonly element: ValueType | undefined }
  | {
      readonly kind: 'func'
      /** It may wait, and others may be called meanwhile. */
      readonly async: boolean
      readonly params: readonly Labelled[]
      readonly result: ValueType | undefined
    }
  | { readonly kind: 'resource'; readonly destructor: number | undefined }
  | { readonly kind: 'instance'; readonly declarations: readonly Declaration[] }
  | { readonly kind: 'component'; readonly declarations: readonly Declaration[] }
  /** Legal, but nothing here can run it; only a use of it is refused. */
  | { readonly kind: 'unsupported'; readonly feature: string }

export type CoreSort =
  'func' | 'table' | 'memory' | 'global' | 'tag' | 'type' | 'module' | 'instance'
export type Sort = 'func' | 'value' | 'type' | 'component' | 'instance' | `core ${CoreSort}`

export interface SortIndex {
  readonly sort: Sort
  readonly index: number
}

export type ExternType =
  | { readonly kind: 'core module' | 'func' | 'component' | 'instance'; readonly index: number }
  | { readonly kind: 'type'; readonly equals: number | undefined }
  | { readonly kind: 'value' }

export type Alias =
  | {
      readonly kind: 'alias'
      readonly sort: Sort
      readonly from: 'export' | 'core export'
      readonly instance: number
      readonly name: string
    }
  | {
      readonly kind: 'alias'
      readonly sort: Sort
      readonly from: 'outer'
      readonly count: number
      readonly index: number
    }

export type Declaration =
  | { readonly kind: 'core type' }
  | { readonly kind: 'type'; readonly def: TypeDef }
  | Alias
  | { readonly kind: 'import' | 'export'; readonly name: string; readonly type: ExternType }

export interface CanonOptions {
  readonly encoding: 'utf8' | 'utf16' | 'latin1+utf16'
  readonly memory: number | undefined
  readonly realloc: number | undefined
  readonly postReturn: number | undefined
  readonly async: boolean
  readonly callback: number | undefined
}

type CopyVerb = 'read' | 'write'

/** A built-in function for what waits: tasks, waitables, streams and futures. */
export type AsyncBuiltin =
  | {
      readonly op:
        | 'backpressure.inc'
        | 'backpressure.dec'
        | 'task.cancel'
        | 'subtask.drop'
        | 'waitable-set.new'
        | 'waitable-set.drop'
        | 'waitable.join'
    }
  | { readonly op: 'thread.yield'; readonly cancellable: boolean }
  | {
      readonly op: 'task.return'
      readonly result: ValueType | undefined
      readonly options: CanonOptions
    }
  | { readonly op: 'context.get' | 'context.set'; readonly slot: number }
  | { readonly op: 'subtask.cancel'; readonly async: boolean }
  | {
      readonly op: 'waitable-set.wait' | 'waitable-set.poll'
      readonly cancellable: boolean
      readonly memory: number
    }
  | {
      readonly op: 'new' | 'drop-readable' | 'drop-writable'
      readonly of: 'stream' | 'future'
      readonly type: number
    }
  | {
      readonly op: CopyVerb
      readonly of: 'stream' | 'future'
      readonly type: number
      readonly options: CanonOptions
    }
  | {
      readonly op: `cancel-${CopyVerb}`
      readonly of: 'stream' | 'future'
      readonly type: number
      readonly async: boolean
    }

export interface CoreModule {
  readonly kind: 'core module'
  /** A part of the component's file. None once the engine has compiled them. */
  bytes: Uint8Array
}

/** A world that bindings were generated for, as a core module carries it. */
export interface World {
  /** The custom section that it stands in, for messages. */
  readonly section: string
  readonly encoding: CanonOptions['encoding']
  readonly declarations: readonly Declaration[]
}

/** A core module with what its imports and exports mean. */
export interface TypedModule {
  readonly kind: 'typed module'
  readonly module: CoreModule
  readonly core: CoreInterface
  readonly worlds: readonly World[]
}

export type Definition = (
  | CoreModule
  /** Not of a binary: a core module that is bound by the worlds that it carries. */
  | TypedModule
  | {
      readonly kind: 'core instantiate'
      readonly module: number
      readonly args: ReadonlyArray<readonly [string, number]>
    }
  | {
      readonly kind: 'core exports'
      readonly exports: ReadonlyArray<readonly [string, CoreSort, number]>
    }
  | { readonly kind: 'core type' }
  | { readonly kind: 'component'; readonly component: ComponentDef }
  | {
      readonly kind: 'instantiate'
      readonly component: number
      readonly args: ReadonlyArray<readonly [string, SortIndex]>
    }
  | { readonly kind: 'exports'; readonly exports: ReadonlyArray<readonly [string, SortIndex]> }
  | Alias
  | { readonly kind: 'type'; readonly def: TypeDef }
  | {
      readonly kind: 'lift'
      readonly func: number
      readonly options: CanonOptions
      readonly type: number
    }
  | { readonly kind: 'lower'; readonly func: number; readonly options: CanonOptions }
  | { readonly kind: 'resource.new' | 'resource.drop' | 'resource.rep'; readonly type: number }
  | { readonly kind: 'async builtin'; readonly builtin: AsyncBuiltin }
  | { readonly kind: 'start'; readonly func: number }
  | { readonly kind: 'import'; readonly name: string; readonly type: ExternType }
  | {
      readonly kind: 'export'
      readonly name: string
      readonly item: SortIndex
      readonly type: ExternType | undefined
    }
) & {
  /** Where it stands in the file, for messages. */
  readonly offset?: number
}

export interface ComponentDef {
  readonly definitions: readonly Definition[]
}
