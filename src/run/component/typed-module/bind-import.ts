import { SpindleError } from '../../../errors.ts'
import type { CoreImport } from '../binary/core-interface.ts'
import {
  parseCoreModule,
  parseCoreName,
  ROOT,
  type CoreName,
  type TransferName,
} from './core-names.ts'
import type { CanonOptions, ValueType } from '../binary/model.ts'
import type { OpenWorlds, WorldFunction } from './open-worlds.ts'
import { MAX_DEPTH } from '../binary/reader.ts'
import type { ResourceType } from '../abi/model.ts'
import { at, createScope, invalid, spend, type Scope, type TypeEntry } from '../abi/types.ts'

/** A type by its index, and the index space that it is of. */
interface TypeAt {
  readonly index: number
  readonly scope: Scope
}

/** What an import of a core module is bound to. */
export type Binding =
  | { readonly kind: 'function'; readonly func: WorldFunction; readonly async: boolean }
  | {
      readonly kind: 'resource.drop' | 'resource.new' | 'resource.rep'
      readonly resource: ResourceType
    }
  | { readonly kind: 'task.return'; readonly func: WorldFunction }
  | {
      readonly kind: 'transfer'
      readonly transfer: TransferName
      readonly type: TypeAt
      readonly encoding: CanonOptions['encoding']
    }
  | Extract<CoreName, { kind: 'wait' | 'builtin' }>

// Canonical built-ins that are not there for components, either.
const UNSUPPORTED = /^\[(?:error-context|thread)-/

/**
 * Finds what an import means in the worlds of its module. Throws `ERR_CONTENT_INVALID` for what they
 * lack, `ERR_UNSUPPORTED` for built-ins that can't be run; both name the import.
 */
export function bindImport({ module, name }: CoreImport, worlds: OpenWorlds): Binding {
  const { interface: interfaceName, exported } = parseCoreModule(module)
  const items = (exported ? worlds.exports : worlds.imports).get(interfaceName)
  const missing = (what: string): never => {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the module imports "${module}"."${name}", but its world ${exported ? 'exports' : 'imports'} no ${what}`,
    )
  }
  if (items === undefined && interfaceName !== ROOT) missing(`"${interfaceName}"`)
  const funcOf = (wanted: string): WorldFunction => {
    const item = items?.get(wanted)
    return item?.kind === 'func' ? item : missing('such function')
  }
  const found = parseCoreName(name)
  switch (found.kind) {
    case 'function':
      if (UNSUPPORTED.test(found.func))
        throw new SpindleError(
          'ERR_UNSUPPORTED',
          `component feature not supported: the module imports "${module}"."${name}"`,
        )
      return { ...found, func: exported ? missing('such built-in') : funcOf(found.func) }
    case 'task.return':
      return { kind: 'task.return', func: funcOf(found.func) }
    case 'transfer': {
      const { transfer } = found
      const { position, of } = transfer
      if (position === 'unit') return { ...found, type: unit(of), encoding: 'utf8' }
      const func = funcOf(transfer.func)
      const type = transfersOf(func.type)[position]
      if (type === undefined || kindAt(type) !== of) return missing(`such ${of}`)
      return { ...found, type, encoding: func.world.encoding }
    }
    case 'wait':
    case 'builtin':
      return found
    default: {
      const item = items?.get(found.resource)
      const type = item?.kind === 'type' ? item.type : undefined
      return type?.kind === 'resource' && (exported || found.kind === 'resource.drop')
        ? { kind: found.kind, resource: type }
        : missing('such resource')
    }
  }
}

/** A stream or future of nothing. */
function unit(of: 'stream' | 'future'): TypeAt {
  const scope = createScope(undefined, { common: new Map(), own: new Map(), steps: 0 })
  scope.types.push({ kind: 'scoped', def: { kind: of, element: undefined }, scope })
  return { index: 0, scope }
}

function kindAt({ index, scope }: TypeAt): string {
  const entry = at(scope.types, index, 'type')
  return entry.kind === 'scoped' ? entry.def.kind : entry.kind
}

/** Streams and futures in the type of a function, in the order by which imports count them: inner ones first. */
function transfersOf(entry: TypeEntry): TypeAt[] {
  const found: TypeAt[] = []
  if (entry.kind === 'resource' || entry.def.kind !== 'func') return found
  const walk = (type: ValueType | undefined, scope: Scope, depth: number): void => {
    if (typeof type !== 'number') return
    spend(scope.codecs, 1)
    if (depth > MAX_DEPTH) invalid('types are nested too deep')
    const one = at(scope.types, type, 'type')
    if (one.kind === 'resource') return
    const { def, scope: inner } = one
    const go = (part: ValueType | undefined): void => walk(part, inner, depth + 1)
    switch (def.kind) {
      case 'record':
        return def.fields.forEach(([, field]) => go(field))
      case 'variant':
        return def.cases.forEach(([, payload]) => go(payload))
      case 'tuple':
        return def.elements.forEach(go)
      case 'list':
      case 'option':
        return go(def.element)
      case 'primitive':
        return
      case 'result':
        go(def.ok)
        return go(def.err)
      case 'stream':
      case 'future':
        go(def.element)
        return void found.push({ index: type, scope })
    }
  }
  for (const [, param] of entry.def.params) walk(param, entry.scope, 0)
  walk(entry.def.result, entry.scope, 0)
  return found
}
