import { SpindleError } from '../../../errors.ts'
import type { CoreInterface } from '../binary/core-interface.ts'
import { ROOT } from './core-names.ts'
import type { LiftedAs } from './core-signature.ts'

/** Which core functions stand for an exported function. */
export interface ExportNames {
  readonly as: LiftedAs
  readonly func: string
  readonly callback: string | undefined
  readonly postReturn: string | undefined
}

export const MEMORY = 'memory'
export const INITIALIZE = '_initialize'
const START = '_start'
/** What a program with `_start` is exported as, where its world exports nothing. */
export const COMMAND = 'wasi:cli/run@0.2.0'

function isFunction({ exports }: CoreInterface, name: string): boolean {
  return exports.get(name)?.kind === 'function'
}

/** `_start` is a program's, whose world has nothing but imports. */
export function commandOf(core: CoreInterface, exported: number): ExportNames | undefined {
  return exported === 0 && isFunction(core, START)
    ? { as: 'sync', func: START, postReturn: undefined, callback: undefined }
    : undefined
}

/** The allocator for what the module is given: some have one for each direction. */
export function reallocOf(core: CoreInterface, side: 'import' | 'export'): string | undefined {
  return [`cabi_${side}_realloc`, 'cabi_realloc'].find((name) => isFunction(core, name))
}

export function destructorOf(
  core: CoreInterface,
  interfaceName: string,
  resource: string,
): string | undefined {
  const name = coreName(interfaceName, `[dtor]${resource}`)
  return isFunction(core, name) ? name : undefined
}

function coreName(interfaceName: string, name: string): string {
  return interfaceName === ROOT ? name : `${interfaceName}#${name}`
}

/** Throws `ERR_CONTENT_INVALID` when the module lacks what its world exports. */
export function bindExport(core: CoreInterface, interfaceName: string, name: string): ExportNames {
  const plain = coreName(interfaceName, name)
  const optional = (wanted: string): string | undefined =>
    isFunction(core, wanted) ? wanted : undefined
  if (isFunction(core, plain))
    return {
      as: 'sync',
      func: plain,
      callback: undefined,
      postReturn: optional(`cabi_post_${plain}`),
    }
  const called = `[async-lift]${plain}`
  const callback = `[callback]${called}`
  const missing = isFunction(core, called) ? callback : plain
  if (isFunction(core, called) && isFunction(core, callback))
    return { as: 'callback', func: called, callback, postReturn: undefined }
  const stackful = `[async-lift-stackful]${plain}`
  if (isFunction(core, stackful))
    return { as: 'stackful', func: stackful, callback: undefined, postReturn: undefined }
  throw new SpindleError(
    'ERR_CONTENT_INVALID',
    `its world exports "${plain}", but the module exports no function "${missing}"`,
  )
}
