import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { filterParcels } from '../../src/bindle/filter.ts'
import { createBindleId, parseBindleId } from '../../src/bindle/id.ts'
import {
  formatInvoice,
  type Invoice,
  INVOICE_ROLES,
  parseInvoice,
} from '../../src/bindle/invoice.ts'
import { parseVersion } from '../../src/bindle/semver.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const number = fc.nat(20)
const identifier = fc.stringMatching(/^[a-z][0-9A-Za-z-]{0,5}$/)
const version = fc
  .tuple(number, number, number, fc.option(identifier), fc.option(identifier))
  .map(
    ([major, minor, patch, pre, build]) =>
      `${major}.${minor}.${patch}${pre === null ? '' : `-${pre}`}${build === null ? '' : `+${build}`}`,
  )
const GROUPS = ['a', 'b', 'c', 'd']
const groups = fc.uniqueArray(fc.constantFrom(...GROUPS))
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined })
const annotations = fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true })
const drop = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as T

const label = fc
  .record({
    sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
    mediaType: text,
    name: text,
    size: fc.maxSafeNat(),
    origin: maybe(text),
    annotations: maybe(annotations),
    feature: maybe(
      fc.dictionary(text, fc.dictionary(text, text, { maxKeys: 2, noNullPrototype: true }), {
        maxKeys: 2,
        noNullPrototype: true,
      }),
    ),
  })
  .map(drop)
const parcel = fc
  .record({
    label,
    conditions: maybe(fc.record({ memberOf: maybe(groups), requires: maybe(groups) }).map(drop)),
  })
  .map(drop)
const signature = fc.record({
  by: text,
  signature: text,
  key: text,
  role: fc.constantFrom(...INVOICE_ROLES),
  at: fc.maxSafeNat(),
})
const invoice = fc
  .record({
    bindleVersion: fc.constant('1.0.0'),
    yanked: maybe(fc.boolean()),
    bindle: fc
      .record({ name: text, version, description: maybe(text), authors: maybe(fc.array(text)) })
      .map(drop),
    annotations: maybe(annotations),
    parcel: maybe(fc.array(parcel, { maxLength: 6 })),
    group: fc.constant(GROUPS.map((name, index) => ({ name, required: index === 0 }))),
    signature: maybe(fc.array(signature, { maxLength: 2 })),
  })
  .map(drop) as fc.Arbitrary<Invoice>

describe('whatever there is', () => {
  it('an id that is written is read as the same', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1 })
    fc.assert(
      fc.property(name, version, (given, number) => {
        const id = createBindleId(given, number)
        // `bindle:` before a name is the form of a URI, and no part of it.
        const asRead = given.startsWith('bindle:') ? given.slice('bindle:'.length) : given
        fc.pre(asRead !== '')
        expect(parseBindleId(String(id))).toMatchObject({ name: asRead, version: number })
        expect(parseVersion(number)).toBeDefined()
      }),
    )
  })

  it('an invoice that is written is read as the same, and written as the same again', () => {
    fc.assert(
      fc.property(invoice, (given) => {
        const written = formatInvoice(given)
        const read = parseInvoice(written)
        expect(read).toEqual(given)
        expect(formatInvoice(read)).toEqual(written)
      }),
    )
  })

  it('an invoice comes through JSON as through TOML', () => {
    fc.assert(
      fc.property(invoice, (given) => {
        const bytes = new TextEncoder().encode(JSON.stringify(given))
        expect(parseInvoice(bytes, 'it', 'json')).toEqual(given)
      }),
    )
  })

  it('picking takes all of the global group, all that is required, and no less when more is asked for', () => {
    fc.assert(
      fc.property(invoice, groups, (given, asked) => {
        const all = given.parcel ?? []
        const few = new Set(filterParcels(given))
        const more = new Set(filterParcels(given, { groups: asked }))
        for (const one of all) {
          const { memberOf, requires = [] } = one.conditions ?? {}
          if (memberOf === undefined || memberOf.includes('a')) expect(few.has(one)).toBe(true)
          if (few.has(one)) expect(more.has(one)).toBe(true)
          if (memberOf?.some((name) => asked.includes(name)) === true)
            expect(more.has(one)).toBe(true)
          if (!more.has(one)) continue
          for (const needed of all)
            if (needed.conditions?.memberOf?.some((name) => requires.includes(name)) === true)
              expect(more.has(needed)).toBe(true)
        }
      }),
    )
  })

  it('picking leaves out all that has a feature that is not wanted', () => {
    fc.assert(
      fc.property(invoice, text, text, text, (given, section, name, value) => {
        const picked = filterParcels(given, { withoutFeatures: { [section]: { [name]: value } } })
        for (const one of picked) {
          const found = Object.entries(one.label.feature ?? {}).find(([key]) => key === section)
          expect(Object.entries(found?.[1] ?? {})).not.toContainEqual([name, value])
        }
      }),
    )
  })
})
