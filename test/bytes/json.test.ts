import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { POINTS } from '../../src/bytes/document-limits.ts'
import { MAX_JSON_DEPTH, parseJson, parseLooseJson, parseUniqueJson } from '../../src/bytes/json.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { isSpindleError } from '../../src/errors.ts'

/** Keys and elements of a value, at all levels, and the deepest of them. */
function sizeOf(value: unknown): { points: number; depth: number } {
  if (typeof value !== 'object' || value === null) return { points: 0, depth: 0 }
  const cost = Array.isArray(value) ? POINTS.element : POINTS.key
  let points = 0
  let depth = 0
  for (const inner of Object.values(value)) {
    const size = sizeOf(inner)
    points += cost + size.points
    depth = Math.max(depth, size.depth)
  }
  return { points, depth: depth + 1 }
}

const isRefused = (text: string, limits: { maxKeys: number; maxDepth: number }): boolean => {
  try {
    parseJson(encodeUtf8(text), 'it', limits)
    return false
  } catch (error) {
    if (!isSpindleError(error) || error.code !== 'ERR_LIMIT_EXCEEDED') throw error
    return true
  }
}

// Strings with all that means something outside of them.
const text = fc.string({ unit: fc.constantFrom(...'"\\[]{},:é\n ') })
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    text,
    fc.integer(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(text, tie('value'), { maxKeys: 4 }),
  ),
}))
const document = fc
  .tuple(value, fc.constantFrom(undefined, 1, '\t'))
  .map(([inner, indent]) => JSON.stringify(inner, null, indent))

describe('the limits of a JSON document', () => {
  it('count each key and level of whatever a parser accepts', () => {
    fc.assert(
      fc.property(document, (json) => {
        const { points, depth } = sizeOf(JSON.parse(json))
        const maxKeys = Math.ceil(points / POINTS.key) - 1
        if (maxKeys >= 0) expect(isRefused(json, { maxKeys, maxDepth: 100 })).toBe(true)
        expect(isRefused(json, { maxKeys: Infinity, maxDepth: depth })).toBe(false)
        if (depth > 0)
          expect(isRefused(json, { maxKeys: Infinity, maxDepth: depth - 1 })).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    ['keys', JSON.stringify(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [i, 1])))],
    ['the same key', `{${'"a":1,'.repeat(1000)}"a":1}`],
    ['elements', `[${'1,'.repeat(4000)}1]`],
    ['empty lists', `[${'[],'.repeat(2000)}1]`],
    ['characters', JSON.stringify('x'.repeat(128_000))],
    ['what is no JSON', `[1 2${',1'.repeat(4000)}`],
  ])('refuse too many %s', (_, json) => {
    expect(isRefused(json, { maxKeys: 900, maxDepth: 10 })).toBe(true)
  })

  it('are the same for all readers', () => {
    const deep = encodeUtf8(`${'['.repeat(MAX_JSON_DEPTH + 1)}${']'.repeat(MAX_JSON_DEPTH + 1)}`)
    for (const read of [parseJson, parseUniqueJson, parseLooseJson])
      expect(() => read(deep, 'the answer')).toThrow(
        `the answer nests deeper than ${MAX_JSON_DEPTH} levels`,
      )
  })
})

describe('a document that may have each key once', () => {
  it('is refused exactly when an object has one twice', () => {
    fc.assert(
      fc.property(document, (json) => {
        expect(parseUniqueJson(encodeUtf8(json), 'it')).toEqual(JSON.parse(json))
      }),
    )
  })

  it.each([
    ['{"a":1,"a":2}', 'a'],
    ['{"a":1,"\\u0061" : 2}', 'a'],
    ['[{"b":{"a":1}},{"x":[],"c":"}","x":1}]', 'x'],
    ['{"a\\"":1,"a\\"":2}', 'a"'],
  ])('%s is refused', (json, key) => {
    expect(() => parseUniqueJson(encodeUtf8(json), 'it')).toThrow(`it says "${key}" twice`)
  })

  it('may be one string of a megabyte', () => {
    const json = JSON.stringify('x\\"'.repeat(300_000))
    expect(parseUniqueJson(encodeUtf8(json), 'it')).toHaveLength(900_000)
  })
})
