import type { KeyValueStore, WorkersKeyValueNamespace } from 'spindle/worker-loader'
import { createWorkersKeyValue } from 'spindle/worker-loader'

/** Stores of all labels in one namespace; without it there are none. */
export function createValues(
  namespace: WorkersKeyValueNamespace | undefined,
): (label: string) => KeyValueStore | undefined {
  return (label) =>
    namespace === undefined ? undefined : createWorkersKeyValue(namespace, { prefix: `${label}/` })
}
