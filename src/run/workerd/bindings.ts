/** Variables in a Worker's environment, as Spin has them in a process's. */
export const VARIABLE_PREFIX = 'SPIN_VARIABLE_'

export function variableBinding(name: string): string {
  return VARIABLE_PREFIX + name.toUpperCase()
}

/** The binding of the KV namespace for the store of a label. */
export function keyValueBinding(label: string): string {
  return `KEY_VALUE_${label.toUpperCase().replace(/[^A-Z0-9_]/g, '_')}`
}

/** The binding of the parent's handler, in Workers that the Worker Loader made. */
export const HOST_BINDING = 'HOST'
