import fc from 'fast-check'
import { parse, stringify } from 'smol-toml'
import { describe, expect, it } from 'vitest'
import { findTomlPlaces, type TomlPlace } from '../../src/spin/manifest/toml-places.ts'

/** Every path that a value has, and every one that has a place: they should be the same. */
function pathsOf(value: unknown, path: string[] = []): string[] {
  const here = path.length === 0 ? [] : [JSON.stringify(path)]
  if (typeof value !== 'object' || value === null || value instanceof Date) return here
  return [
    ...here,
    ...Object.keys(value).flatMap((key) =>
      pathsOf((value as Record<string, unknown>)[key], [...path, key]),
    ),
  ]
}

function placedPaths(place: TomlPlace, path: string[] = []): string[] {
  const here = path.length === 0 ? [] : [JSON.stringify(path)]
  return [
    ...here,
    ...[...place.children].flatMap(([key, child]) => placedPaths(child, [...path, key])),
  ]
}

/** At each place stand the key and, where it is written as such, the value. */
function expectPlaced(text: string, value: unknown, place: TomlPlace, isElement = false): void {
  for (const [key, child] of place.children) {
    const inner = (value as Record<string, unknown>)[key]
    const written = text.slice(child.keyStart, child.keyEnd)
    const literal = text.slice(child.valueStart, child.valueEnd)
    if (!isElement && !Array.isArray(value))
      expect(Object.keys(parse(`${written} = 0`))).toEqual([key])
    if (typeof inner !== 'object')
      expect(parse(`v = ${literal}`)).toEqual(parse(`v = ${JSON.stringify(inner)}`))
    else expectPlaced(text, inner, child, Array.isArray(inner))
  }
}

function expectAllPlaced(text: string): void {
  const value = parse(text)
  const places = findTomlPlaces(text)
  expect(placedPaths(places).toSorted()).toEqual(pathsOf(value).toSorted())
  expectPlaced(text, value, places)
}

const SPELLINGS = `\uFEFF# comment with [brackets] = and "quotes"
a = 1 # [not.a.table]
"quoted key" = "b \\" ] } # c"
'lit.eral' = 'd \\'
dot . ted = { x = [ 1, # one ]
  2, ], "y z" = { w = "]}" } }
[ table . "with \\u0041" ]
multi = """
[not.a.table]
x = 1 \\""" still"""
literal = '''
''two'' '''''
[[list]]
n = 1
[list.inner]
m = 2
[[list]]
n = 3
[[list.deep]]
[list.deep.more]
k = true
[late.sub]
v = 1
[late]
u = 2
`

describe('places of a TOML document', () => {
  it('are found for every spelling of keys, strings and tables', () => {
    expectAllPlaced(SPELLINGS)
  })

  it('are found with line ends of Windows', () => {
    expectAllPlaced(SPELLINGS.replaceAll('\n', '\r\n'))
  })

  it('are found for dates, of which some have a space within', () => {
    const text = 'a = 1979-05-27 07:32:00Z\nb = [1979-05-27, 07:32:00]\n[c]\nd = 1\n'
    const places = findTomlPlaces(text)
    expect(placedPaths(places)).toEqual([
      '["a"]',
      '["b"]',
      '["b","0"]',
      '["b","1"]',
      '["c"]',
      '["c","d"]',
    ])
    const a = places.children.get('a')!
    expect(text.slice(a.valueStart, a.valueEnd)).toBe('1979-05-27 07:32:00Z')
  })

  it('are found for all of any document', () => {
    const key = fc.oneof(
      fc.stringMatching(/^[a-z_-]{1,4}$/),
      fc.string({ maxLength: 5, unit: 'grapheme' }),
      fc.constant('__proto__'),
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.string({ unit: 'grapheme' }),
        fc.integer(),
        fc.boolean(),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.array(tie('table'), { maxLength: 3 }),
        tie('table'),
      ),
      table: fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    }))
    fc.assert(
      fc.property(fc.dictionary(key, value, { maxKeys: 5 }), (table) => {
        expectAllPlaced(stringify(table as Record<string, string>))
      }),
      { numRuns: 300 },
    )
  })

  it('end without an answer for what is no TOML', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'a=.[]{}"\'\\#,\n \t0') }), (text) => {
        findTomlPlaces(text)
      }),
      { numRuns: 1000 },
    )
  })
})
