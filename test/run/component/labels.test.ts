import { createBudget } from '../../../src/run/budget.ts'
import { describe, expect, it } from 'vitest'
import { createScope, codecOf } from '../../../src/run/component/abi/types.ts'
import type { TypeDef } from '../../../src/run/component/binary/model.ts'
import { beginCall } from '../../../src/run/component/abi/canon.ts'
import { createInstance, createStore } from '../../../src/run/component/abi/handles.ts'

const call = beginCall({
  instance: createInstance(createStore(false, createBudget())),
  encoding: 'utf8',
  memory: undefined,
  realloc: undefined,
  postReturn: undefined,
  async: false,
  callback: undefined,
})

function lift(def: TypeDef, values: number[]): unknown {
  const scope = createScope(undefined, { common: new Map(), own: new Map(), steps: 0 })
  scope.types.push({ kind: 'scoped', def, scope })
  return codecOf(0, scope).lift(call, { values, at: 0 })
}

describe('labels that differ in a hyphen only', () => {
  it('are different fields', () => {
    const fields = [
      ['a-1', 'u8'],
      ['a1', 'u8'],
      ['content-type', 'u8'],
    ] as const
    expect({ ...(lift({ kind: 'record', fields }, [1, 2, 3]) as object) }).toEqual({
      'a-1': 1,
      a1: 2,
      contentType: 3,
    })
  })

  it('are different flags', () => {
    expect({ ...(lift({ kind: 'flags', labels: ['b-2', 'b2'] }, [1]) as object) }).toEqual({
      'b-2': true,
      b2: false,
    })
  })
})
