import type { Declaration, ExternType } from '../binary/model.ts'
import { expect, expectResource, exportOf, type InstanceItem, type Item } from './items.ts'
import {
  at,
  codecOf,
  createScope,
  invalid,
  signatureOf,
  spend,
  type Scope,
  type TypeEntry,
} from './types.ts'

/**
 * Checks that an item fits the type it is bound to, so that both sides of a call between
 * components agree on every value. Resources of the type are those of the item from then on.
 */
export function assertFits(item: Item, type: ExternType, scope: Scope, what: string): void {
  switch (type.kind) {
    case 'func':
      if (
        signatureOf(expect(item, 'func', what).type).key !==
        signatureOf(at(scope.types, type.index, 'type')).key
      ) {
        invalid(`${what} is a function of another type`)
      }
      return
    case 'instance': {
      const entry = at(scope.types, type.index, 'type')
      if (entry.kind === 'resource' || entry.def.kind !== 'instance')
        return invalid(`type ${type.index} is no instance type`)
      return assertInstanceFits(
        expect(item, 'instance', what),
        entry.def.declarations,
        entry.scope,
        what,
      )
    }
    case 'type':
      if (type.equals === undefined) expectResource(item, what)
      else
        assertSameType(expect(item, 'type', what).type, at(scope.types, type.equals, 'type'), what)
      return
    case 'component':
    case 'core module':
      expect(item, type.kind, what)
      return
    default:
      invalid(`${what} is a value`)
  }
}

function assertSameType(a: TypeEntry, b: TypeEntry, what: string): void {
  if (a === b) return
  if (a.kind === 'resource' || b.kind === 'resource') return invalid(`${what} is another resource`)
  const kinds = [a.def.kind, b.def.kind]
  if (kinds.includes('func')) {
    if (signatureOf(a).key !== signatureOf(b).key) invalid(`${what} is another function type`)
  } else if (kinds.includes('instance') || kinds.includes('component')) {
    if (kinds[0] !== kinds[1]) invalid(`${what} is another type`)
  } else if (codecOfEntry(a) !== codecOfEntry(b)) invalid(`${what} is another type`)
}

function codecOfEntry(entry: TypeEntry): unknown {
  return codecOf(0, { ...createScope(undefined, scopeOf(entry).codecs), types: [entry] })
}

function scopeOf(entry: TypeEntry): Scope {
  return entry.kind === 'scoped' ? entry.scope : invalid('a resource has no scope')
}

function assertInstanceFits(
  item: InstanceItem,
  declarations: readonly Declaration[],
  outer: Scope,
  what: string,
): void {
  spend(outer.codecs, declarations.length)
  const scope = createScope(outer, outer.codecs)
  for (const declaration of declarations) {
    if (declaration.kind !== 'export') {
      declareType(declaration, scope)
      continue
    }
    const inner = exportOf(item, declaration.name)
    assertFits(inner, declaration.type, scope, `"${declaration.name}" of ${what}`)
    if (inner.kind === 'type') scope.types.push(inner.type)
  }
}

/** A type or alias within an instance type takes its place in the scope. */
export function declareType(declaration: Declaration, scope: Scope): void {
  if (declaration.kind === 'type') scope.types.push({ kind: 'scoped', def: declaration.def, scope })
  else if (declaration.kind === 'alias') {
    if (declaration.from !== 'outer' || declaration.sort !== 'type')
      invalid('an instance type aliases outer types only')
    else scope.types.push(outerType(scope, declaration.count, declaration.index))
  }
}

export function outerScope(scope: Scope, count: number): Scope {
  let found: Scope | undefined = scope
  for (let i = 0; i < count && found !== undefined; i++) found = found.outer
  return found ?? invalid(`there are no ${count} components around an alias`)
}

export function outerType(scope: Scope, count: number, index: number): TypeEntry {
  return at(outerScope(scope, count).types, index, 'type')
}
