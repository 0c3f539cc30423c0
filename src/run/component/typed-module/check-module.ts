import { SpindleError } from '../../../errors.ts'
import { createBudget } from '../../budget.ts'
import {
  bindExport,
  commandOf,
  destructorOf,
  INITIALIZE,
  MEMORY,
  reallocOf,
} from './bind-export.ts'
import { bindImport, type Binding } from './bind-import.ts'
import { formatSignature, type CoreImport, type CoreSignature } from '../binary/core-interface.ts'
import {
  liftedSignature,
  loweredSignature,
  postReturnSignature,
  taskReturnSignature,
  usesMemory,
} from './core-signature.ts'
import { createInstance, createStore } from '../abi/handles.ts'
import { importFromHost, type HostResources } from '../abi/host-imports.ts'
import type { TypedModule } from '../binary/model.ts'
import { exportsOf, openModule } from './open-module.ts'
import { PREVIEW1, PREVIEW1_SIGNATURES } from './preview1-signatures.ts'
import { createScope, signatureOf, type Signature } from '../abi/types.ts'

const I32 = ['i32']
const FOUR = ['i32', 'i32', 'i32', 'i32']
const REALLOC = formatSignature(FOUR, I32)
const CALLBACK = formatSignature(['i32', 'i32', 'i32'], I32)
const NOTHING = formatSignature([], [])

/** What the built-ins that have a fixed type are called with, and give. */
const BUILTINS: Readonly<Record<string, CoreSignature>> = {
  'resource.drop': formatSignature(I32, []),
  'resource.new': formatSignature(I32, I32),
  'resource.rep': formatSignature(I32, I32),
  'backpressure.inc': NOTHING,
  'backpressure.dec': NOTHING,
  'task.cancel': NOTHING,
  'subtask.drop': formatSignature(I32, []),
  'subtask.cancel': formatSignature(I32, I32),
  'waitable-set.new': formatSignature([], I32),
  'waitable-set.drop': formatSignature(I32, []),
  'waitable-set.wait': formatSignature(['i32', 'i32'], I32),
  'waitable-set.poll': formatSignature(['i32', 'i32'], I32),
  'waitable.join': formatSignature(['i32', 'i32'], []),
  'thread.yield': formatSignature([], I32),
  'context.get': formatSignature([], I32),
  'context.set': formatSignature(I32, []),
  new: formatSignature([], ['i64']),
  'stream.read': formatSignature(['i32', 'i32', 'i32'], I32),
  'stream.write': formatSignature(['i32', 'i32', 'i32'], I32),
  'future.read': formatSignature(['i32', 'i32'], I32),
  'future.write': formatSignature(['i32', 'i32'], I32),
  'cancel-read': formatSignature(I32, I32),
  'cancel-write': formatSignature(I32, I32),
  'drop-readable': formatSignature(I32, []),
  'drop-writable': formatSignature(I32, []),
}

function importSignature(binding: Binding): CoreSignature | undefined {
  switch (binding.kind) {
    case 'function':
      return loweredSignature(signatureOf(binding.func.type), binding.async)
    case 'task.return':
      return taskReturnSignature(signatureOf(binding.func.type))
    case 'transfer': {
      const { of, op } = binding.transfer
      return BUILTINS[`${of}.${op}`] ?? BUILTINS[op]
    }
    case 'wait':
      return BUILTINS[binding.op]
    case 'builtin':
      return BUILTINS[binding.builtin.op]
    default:
      return BUILTINS[binding.kind]
  }
}

function malformed(message: string): never {
  throw new SpindleError('ERR_CONTENT_INVALID', message)
}

/**
 * Checks a module against its worlds: whether they have what it imports, whether it has what they
 * export, and whether both have the types that the canonical ABI gives them.
 *
 * Throws `ERR_CONTENT_INVALID` or `ERR_UNSUPPORTED`, and names the import or export.
 */
export function checkModule(typed: TypedModule): void {
  const { core } = typed
  const scope = createScope(undefined, { common: new Map(), own: new Map(), steps: 0 })
  const resources: HostResources = new Map()
  const worlds = openModule(typed, scope, {
    instance: createInstance(createStore(false, createBudget())),
    importItem: (name, type, within) =>
      importFromHost(name, type, within, () => ANYTHING, resources),
    core: () => undefined,
    compare: true,
  })
  const expectType = (
    what: string,
    found: CoreSignature | undefined,
    expected: CoreSignature,
  ): void => {
    if (found !== expected)
      malformed(`the module ${what} as ${found}, but by its world it is ${expected}`)
  }
  const expectExport = (name: string | undefined, expected: CoreSignature): void => {
    if (name !== undefined) expectType(`exports "${name}"`, core.exports.get(name)?.type, expected)
  }
  let memoryFor: string | undefined
  /** `side` is who allocates for values that the module is given. */
  const expectMemory = (
    what: string,
    signature: Signature,
    side: 'import' | 'export',
    async: boolean,
  ): void => {
    const { params, result, spilled } = signature
    if (async || usesMemory(signature)) memoryFor ??= what
    const given =
      side === 'import'
        ? (result?.pointers ?? false)
        : params.some(({ pointers }) => pointers) || spilled !== undefined
    if (given && reallocOf(core, side) === undefined)
      malformed(`the module exports no function "cabi_realloc", which ${what} needs`)
  }
  const checkImport = (one: CoreImport): void => {
    const { module, name, kind, type } = one
    const what = `imports "${module}"."${name}"`
    if (kind !== 'function')
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `the module imports the ${kind} "${module}"."${name}": functions only can be linked`,
      )
    if (module === PREVIEW1) {
      const expected =
        PREVIEW1_SIGNATURES.get(name) ??
        malformed(`the module ${what}, which ${PREVIEW1} does not have`)
      memoryFor ??= `"${module}"."${name}"`
      return expectType(what, type, expected)
    }
    const binding = bindImport(one, worlds)
    expectType(what, type, importSignature(binding) ?? NOTHING)
    if (binding.kind === 'function')
      expectMemory(`"${module}"."${name}"`, signatureOf(binding.func.type), 'import', binding.async)
  }
  for (const one of core.imports) checkImport(one)
  for (const [interfaceName, name, func] of exportsOf(worlds)) {
    const names = bindExport(core, interfaceName, name)
    const signature = signatureOf(func.type)
    expectExport(names.func, liftedSignature(signature, names.as))
    expectExport(names.postReturn, postReturnSignature(signature))
    expectExport(names.callback, CALLBACK)
    expectMemory(`"${names.func}"`, signature, 'export', false)
  }
  for (const [interfaceName, items] of worlds.exports)
    for (const [name, item] of items)
      if (item.kind === 'type' && item.type.kind === 'resource')
        expectExport(destructorOf(core, interfaceName, name), formatSignature(I32, []))
  expectExport(commandOf(core, worlds.exports.size)?.func, NOTHING)
  if (core.exports.get(INITIALIZE)?.kind === 'function') expectExport(INITIALIZE, NOTHING)
  for (const side of ['import', 'export'] as const) expectExport(reallocOf(core, side), REALLOC)
  if (memoryFor !== undefined && core.exports.get(MEMORY)?.kind !== 'memory')
    malformed(`the module exports no memory "${MEMORY}", which ${memoryFor} needs`)
}

const ANYTHING = { functions: {} }
