import type { CallControl, ResourceType } from './model.ts'
import { invalid, type ComponentClosure, type Signature, type TypeEntry } from './types.ts'

/** What a component imports from us, one function of an interface. Arguments and results: see `Codec`. */
export type HostFunction = (...args: never[]) => unknown

/**
 * An interface that the host implements. Functions go by their names in WIT, such as
 * `[method]fields.get`; `[resource-drop]fields` is told when a guest drops one.
 */
export interface HostInterface {
  readonly functions: Readonly<Record<string, HostFunction>>
  /** Functions that may return a Promise: the guest waits for it, where the engine lets it. */
  readonly waits?: ReadonlySet<string>
}

/** An interface as it is linked. */
export interface LinkedInterface extends HostInterface {
  /** Asynchronous calls wait for their turn: what they give may be large, and nobody has paid for it. */
  readonly inTurn?: boolean
}

export interface FuncItem {
  readonly kind: 'func'
  readonly type: TypeEntry
  /** For messages: `wasi:http/types@0.2.0#[constructor]fields`. */
  readonly name: string
  /** A Promise only if the function waits. `args` are taken when it starts, which may be later. */
  readonly call: (
    args: () => readonly unknown[],
    signature: Signature,
    control?: CallControl,
  ) => unknown
  /** Whether `call` may give a Promise. */
  readonly waits: boolean
  /** It is the host's: what it waits for is outside of the tree. */
  readonly outside?: boolean
  /** Only so many of its calls are in flight. */
  readonly inTurn?: boolean
}

export const CANCELLED: unique symbol = Symbol('cancelled')

/** What a host gives for work that it can stop. */
export type Stoppable<T> = Promise<T> & { stop?: () => void }

export interface InstanceItem {
  readonly kind: 'instance'
  readonly exports: ReadonlyMap<string, Item>
}

export type Item =
  | FuncItem
  | InstanceItem
  | { readonly kind: 'type'; readonly type: TypeEntry }
  | { readonly kind: 'component'; readonly closure: ComponentClosure }
  | { readonly kind: 'core module'; readonly module: WebAssembly.Module }

export function exportOf(instance: InstanceItem, name: string): Item {
  return instance.exports.get(name) ?? invalid(`an instance has no export "${name}"`)
}

export function expect<K extends Item['kind']>(
  item: Item,
  kind: K,
  what: string,
): Extract<Item, { kind: K }> {
  return item.kind === kind
    ? (item as Extract<Item, { kind: K }>)
    : invalid(`${what} is a ${item.kind}, not a ${kind}`)
}

export function expectResource(item: Item, what: string): ResourceType {
  const { type } = expect(item, 'type', what)
  return type.kind === 'resource' ? type : invalid(`${what} is no resource`)
}
