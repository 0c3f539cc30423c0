import type { HostInterface, LinkedInterface } from '../../component/abi/items.ts'
import { chain, isPromise } from '../../component/abi/runtime.ts'
import { err, ok, type Result } from '../wasi/result.ts'

// Shared by stores and databases: opened by labels that a manifest lists, possibly asynchronous, and
// numbers in the interfaces before resources.

export type Answer = Result | Promise<Result>

/** What an action gives, at once or later, or what `failed` makes of its failure. */
export function settle(
  action: () => unknown,
  failed: (error: unknown) => Result,
  shape: (value: unknown) => unknown = (value) => value,
): Answer {
  try {
    const answer = chain(action(), (value) => ok(shape(value)))
    return isPromise(answer) ? answer.catch(failed) : answer
  } catch (error) {
    return failed(error)
  }
}

/** An interface each of whose functions may have to wait, for what may be large. */
export function waitsAll(functions: HostInterface['functions']): LinkedInterface {
  return { functions, waits: new Set(Object.keys(functions)), inTurn: true }
}

/** Opens what a manifest lists; `absent` is the interface's word for what nobody supplied. */
export function opener<T>(
  allowed: readonly string[],
  find: (label: string) => T | undefined,
  absent: string,
): (label: string) => Result<T> {
  return (label) => {
    const found = allowed.includes(label) ? find(label) : undefined
    if (found !== undefined) return ok(found)
    return err({ tag: allowed.includes(label) ? absent : 'access-denied' }) as Result<T>
  }
}

interface Numbered<T> {
  readonly functions: HostInterface['functions']
  /** A function whose first argument is a number. */
  readonly using: <Rest extends unknown[]>(
    action: (opened: T, ...rest: Rest) => Answer,
  ) => (id: number, ...rest: Rest) => Answer
}

/** The limit of Spin. Bounds host memory if a guest never closes its handles. */
export const MAX_OPEN = 256

/**
 * The way before resources; `invalid` is the interface's word for a number that is none, `full` what
 * it says when too many are open. `onClose` is called for each that the guest closes.
 */
export function numbered<T>(
  open: (label: string) => Result<T>,
  invalid: string,
  full: { readonly tag: string; readonly val?: string },
  onClose: (opened: T) => void = () => {},
): Numbered<T> {
  const all = new Map<number, T>()
  let last = 0
  return {
    functions: {
      open: (label: string) => {
        const opened = open(label)
        if (opened.tag === 'err') return opened
        if (all.size >= MAX_OPEN) return err(full)
        all.set(++last, opened.val as T)
        return ok(last)
      },
      close: (id: number) => {
        const opened = all.get(id)
        if (all.delete(id)) onClose(opened as T)
      },
    },
    using:
      (action) =>
      (id, ...rest) => {
        const opened = all.get(id)
        return opened === undefined ? err({ tag: invalid }) : action(opened, ...rest)
      },
  }
}
