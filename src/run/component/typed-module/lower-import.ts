import { asyncBuiltin, type BuiltinPlace } from '../async/async-builtins.ts'
import { lowerAsync } from '../async/async-lower.ts'
import { lower } from '../abi/canon.ts'
import type { CanonContext, CoreFunction, Instance } from '../abi/model.ts'
import type { CanonOptions } from '../binary/model.ts'
import { resourceDrop, resourceNew, resourceRep } from '../abi/resource-builtins.ts'
import { invalid, type Scope } from '../abi/types.ts'
import type { Binding } from './bind-import.ts'

interface ImportPlace {
  readonly instance: Instance
  /** For what has no types. */
  readonly scope: Scope
  readonly contextOf: (encoding: CanonOptions['encoding'], async: boolean) => CanonContext
}

/** The core function that a module is given for an import. */
export function lowerImport(binding: Binding, place: ImportPlace): CoreFunction {
  const { instance, contextOf } = place
  const builtin = (encoding: CanonOptions['encoding'], scope: Scope): BuiltinPlace => ({
    instance,
    scope,
    context: ({ async }) => contextOf(encoding, async),
  })
  switch (binding.kind) {
    case 'function': {
      const { func, async } = binding
      if (func.item === undefined) return invalid('a module imports a function that it exports')
      return (async ? lowerAsync : lower)(func.item, contextOf(func.world.encoding, async))
    }
    case 'resource.drop':
      return resourceDrop(instance, binding.resource)
    case 'resource.new':
      return resourceNew(instance, binding.resource)
    case 'resource.rep':
      return resourceRep(instance, binding.resource)
    case 'task.return': {
      const { type, world } = binding.func
      if (type.kind === 'resource' || type.def.kind !== 'func')
        return invalid('"task.return" of what is no function')
      const { result } = type.def
      return asyncBuiltin(
        { op: 'task.return', result, options: optionsOf(false) },
        builtin(world.encoding, type.scope),
      )
    }
    case 'transfer': {
      const { transfer, type, encoding } = binding
      const { op, of, async } = transfer
      const at = builtin(encoding, type.scope)
      const { index } = type
      if (op === 'read' || op === 'write')
        return asyncBuiltin({ op, of, type: index, options: optionsOf(async) }, at)
      if (op === 'cancel-read' || op === 'cancel-write')
        return asyncBuiltin({ op, of, type: index, async }, at)
      return asyncBuiltin({ op, of, type: index }, at)
    }
    case 'wait': {
      const { op, cancellable } = binding
      return asyncBuiltin({ op, cancellable, memory: 0 }, builtin('utf8', place.scope))
    }
    case 'builtin':
      return asyncBuiltin(binding.builtin, builtin('utf8', place.scope))
  }
}

/** As in a binary. Memory, allocator and encoding are those of the module. */
function optionsOf(async: boolean): CanonOptions {
  return {
    encoding: 'utf8',
    memory: undefined,
    realloc: undefined,
    postReturn: undefined,
    async,
    callback: undefined,
  }
}
