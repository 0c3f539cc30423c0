// The compiler rejects the policies that are rejected at run time: `npm run typecheck` checks this file.
import { describe, expect, it } from 'vitest'
import type { Policy } from '../../src/trust/policy/policy.ts'
import { loadPolicy } from '../../src/trust/policy/load-policy.ts'

const key = { key: 'x', requireTransparencyLog: false } as const
const person = { identity: 'a', issuer: 'b', trustedRoot: {} } as const
const any = { anyOf: [key, key] } as const
const all = { allOf: [key, key] } as const

// Through a variable, for which the compiler does not check excess properties.
const wide = {
  time: { ...key, time: 'any' } as const,
  requireSct: { ...key, requireSct: true } as const,
  extensions: { ...key, extensions: { githubWorkflowRef: 'x' } } as const,
  issuer: { ...key, issuer: 'x' } as const,
  identity: { ...key, identity: 'x' } as const,
  keyOfPerson: { ...person, key: 'x' } as const,
  keyOfAny: { ...any, key: 'x' } as const,
  annotationsOfAny: { ...any, annotations: { a: 'b' } } as const,
  formatsOfAll: { ...all, formats: ['bundle'] } as const,
  rootOfAll: { ...all, trustedRoot: {} } as const,
  logOfAny: { ...any, requireTransparencyLog: true } as const,
  referenceOfAny: { ...any, reference: 'r/a' } as const,
  typesOfAny: { ...any, predicateTypes: ['x'] } as const,
  thresholdOfAll: { ...all, threshold: 2 } as const,
  both: { ...any, ...all } as const,
  keyAndAny: { ...key, ...any } as const,
}

const REFUSED: Readonly<Record<string, () => Policy>> = {
  // @ts-expect-error
  'time beside key': () => wide.time,
  // @ts-expect-error
  'requireSct beside key': () => wide.requireSct,
  // @ts-expect-error
  'extensions beside key': () => wide.extensions,
  // @ts-expect-error
  'issuer beside key': () => wide.issuer,
  // @ts-expect-error
  'identity beside key': () => wide.identity,
  // @ts-expect-error
  'key beside identity': () => wide.keyOfPerson,
  // @ts-expect-error
  'key beside anyOf': () => wide.keyOfAny,
  // @ts-expect-error
  'annotations beside anyOf': () => wide.annotationsOfAny,
  // @ts-expect-error
  'formats beside allOf': () => wide.formatsOfAll,
  // @ts-expect-error
  'trustedRoot beside allOf': () => wide.rootOfAll,
  // @ts-expect-error
  'requireTransparencyLog beside anyOf': () => wide.logOfAny,
  // @ts-expect-error
  'reference beside anyOf': () => wide.referenceOfAny,
  // @ts-expect-error
  'predicateTypes beside anyOf': () => wide.typesOfAny,
  // @ts-expect-error
  'threshold beside allOf': () => wide.thresholdOfAll,
  // @ts-expect-error
  'anyOf beside allOf': () => wide.both,
  // @ts-expect-error
  'anyOf beside key': () => wide.keyAndAny,
  // @ts-expect-error
  'a key that is not known': () => ({ ...key, treshold: 2 }) satisfies Policy,
  // @ts-expect-error
  'an identity without an issuer': () => ({ identity: 'a', trustedRoot: {} }),
  // @ts-expect-error
  'an identity without a root': () => ({ identity: 'a', issuer: 'b' }),
  // @ts-expect-error
  'a mistyped time': () => ({ ...person, time: 'Any' }),
  // @ts-expect-error
  'a mistyped format': () => ({ ...key, formats: ['bundles'] }),
  // @ts-expect-error
  'a mistyped extension': () => ({ ...person, extensions: { githubRef: 'x' } }),
  // @ts-expect-error
  'a number of annotations': () => ({ ...key, annotations: 5 }),
  // @ts-expect-error
  'null annotations': () => ({ ...key, annotations: null }),
  // @ts-expect-error
  'a word for a threshold': () => ({ ...key, threshold: '2' }),
  // @ts-expect-error
  'no rule': () => ({}),
}

describe('the compiler and the library reject', () => {
  it.each(Object.entries(REFUSED))('%s', async (_, make) => {
    await expect(loadPolicy(make())).rejects.toThrow(TypeError)
  })

  it('no threshold with anyOf, and no keys in its rules', () => {
    const policy: Policy = {
      anyOf: [{ ...key, annotations: { a: 'b' } }, { ...person, time: 'any' }, { ...any }],
      threshold: 2,
    }
    expect(Object.keys(policy)).toEqual(['anyOf', 'threshold'])
  })
})
