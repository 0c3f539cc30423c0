import fc from 'fast-check'
import { parse } from 'smol-toml'
import { describe, expect, it } from 'vitest'
import { POINTS } from '../../src/bytes/document-limits.ts'
import { readToml } from '../../src/bytes/toml.ts'
import { assertTomlWithin } from '../../src/bytes/toml-limits.ts'
import { isSpindleError } from '../../src/errors.ts'

/** What a parser makes of a text: keys and elements, at all levels, and the deepest of them. */
function sizeOf(value: unknown): { points: number; depth: number } {
  if (typeof value !== 'object' || value === null || value instanceof Date)
    return { points: 0, depth: 0 }
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

const isRefused = (work: () => unknown, words: string): boolean => {
  try {
    work()
    return false
  } catch (error) {
    if (!isSpindleError(error) || error.code !== 'ERR_LIMIT_EXCEEDED') throw error
    return error.message.includes(words)
  }
}

const bare = fc.constantFrom('a', 'b', 'c-d', '1', '_', 'x1', 'true', '1979-05-27')
const inQuotes = fc.string({ unit: fc.constantFrom(...".#=[]{},'a ", '\\"', '\\\\', '\\n', 'é') })
const basic = inQuotes.map((text) => `"${text}"`)
const literal = fc
  .string({ unit: fc.constantFrom(...'.#=[]{},"a\\ ', '\t') })
  .map((text) => `'${text}'`)
const long = fc.tuple(
  fc.constantFrom('"""', "'''"),
  fc.string({ unit: fc.constantFrom(...'.#=[]{},a ', '\n', '"', "'", '\r\n', '\\\\') }),
  fc.constantFrom('', '"', '""', "'", "''"),
)
const part = fc.oneof({ weight: 4, arbitrary: bare }, basic, literal)
const dot = fc.constantFrom('.', ' . ', '\t.')
const key = fc
  .tuple(part, fc.array(fc.tuple(dot, part), { maxLength: 4 }))
  .map(([first, rest]) => first + rest.map(([point, name]) => point + name).join(''))
const blank = fc.constantFrom('', ' ', '\t', '\n', '\r\n', ' # a [b] "c\n', "#'''\n", '\n\n')
const scalar = fc.oneof(
  basic,
  literal,
  long.map(([quotes, text, more]) => quotes + text + more + quotes),
  fc.constantFrom(
    ...['1', '-1_000', '+0', '0x1F_f', '0o7', '0b1', '1.5e-3', 'inf', '-nan', 'true', 'false'],
    ...['1979-05-27', '1979-05-27T07:32:00Z', '1979-05-27 07:32:00.5+01:00', '07:32:00', '07:32'],
    ...['1979-05-27t07:32', '1979-#"-01', '07:#"', '1979-05-27 #', '00', '1__0', '1.', '+true'],
  ),
)
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    scalar,
    fc
      .tuple(fc.array(fc.tuple(blank, tie('value'), blank)), fc.constantFrom('', ',', ' ,\n'))
      .map(
        ([items, end]) =>
          `[${items.map(([before, item, after]) => before + item + after).join(',')}${items.length > 0 ? end : ''}]`,
      ),
    fc
      .array(fc.tuple(key, tie('value'), blank))
      .map(
        (pairs) =>
          `{${pairs.map(([name, inner, after], at) => `${name}${at} = ${inner}${after}`).join(',')}}`,
      ),
  ),
}))
const statement = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(key, value).map(([name, inner]) => `${name} = ${inner}`) },
  key.map((name) => `[${name}]`),
  key.map((name) => `[[${name}]]`),
  blank,
  fc.constantFrom('# "', "#'''", 'a=1 # [', '[ a . b ]', '[a]]', 'a = [', '}'),
)
const document = fc
  .array(fc.tuple(statement, fc.constantFrom('\n', '\r\n', '\n\n', ' # x\n')), { maxLength: 8 })
  .map((lines) => lines.map(([text, end]) => text + end).join(''))
const mutated = fc
  .tuple(document, fc.nat(), fc.nat(3), fc.constantFrom(...'"\'#\n[]{}.=,\\ -:', '"""', "'''", ''))
  .map(([text, at, cut, put]) => {
    const place = at % (text.length + 1)
    return text.slice(0, place) + put + text.slice(place + cut)
  })

describe('the limits of a TOML document', () => {
  it('count no less than any document has that a parser accepts', () => {
    let accepted = 0
    fc.assert(
      fc.property(fc.oneof(document, mutated), (text) => {
        let size: ReturnType<typeof sizeOf>
        try {
          size = sizeOf(parse(text))
        } catch {
          return
        }
        accepted++
        const maxKeys = Math.ceil(size.points / POINTS.key) - 1
        if (maxKeys >= 0)
          expect(
            isRefused(() => assertTomlWithin(text, { maxKeys, maxDepth: 1000 }, 'it'), 'keys'),
          ).toBe(true)
        if (size.depth > 1)
          expect(
            isRefused(
              () => readToml(text, 'it', { maxKeys: Infinity, maxDepth: size.depth - 2 }),
              'deeper',
            ),
          ).toBe(true)
      }),
      { numRuns: 3000 },
    )
    expect(accepted).toBeGreaterThan(300)
  })

  it('let a document of as many levels as are allowed pass', () => {
    fc.assert(
      fc.property(document, (text) => {
        let size: ReturnType<typeof sizeOf>
        try {
          size = sizeOf(parse(text))
        } catch {
          return
        }
        const limits = { maxKeys: Infinity, maxDepth: Math.max(size.depth - 1, 0) }
        expect(readToml(text, 'it', limits).table).toBeDefined()
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['dotted keys', `${'a.'.repeat(300)}a=1`, 'deeper'],
    ['a header of many parts', `[${'a.'.repeat(300)}a]`, 'deeper'],
    ['many keys', Array.from({ length: 1000 }, (_, at) => `k${at}=1\n`).join(''), 'keys'],
    ['many tables', Array.from({ length: 1000 }, (_, at) => `[k${at}]\n`).join(''), 'keys'],
    ['an array of many tables', '[[a]]\n'.repeat(1000), 'keys'],
    ['tables in a line', `a=[${'{},'.repeat(2000)}]`, 'keys'],
    ['many elements', `a=[${'1,'.repeat(4000)}]`, 'keys'],
    ['lists in lists', `a=[${'[],'.repeat(4000)}]`, 'keys'],
    ['dates', `a=[${'07:32:00,'.repeat(4000)}]`, 'keys'],
    ['escapes', `a="${'\\n'.repeat(8000)}"`, 'keys'],
    ['digits in groups', `a=${'1_'.repeat(8000)}1`, 'keys'],
    ['lines', '\n'.repeat(8000), 'keys'],
    ['a comment', `#${'x'.repeat(128_000)}`, 'keys'],
    ['what is no TOML', `a=1 2\n${'a.'.repeat(1000)}`, 'keys'],
    [
      'keys behind what only looks like a date',
      `a=[1979-#"-01${',{a.b.c=1}'.repeat(300)}]`,
      'keys',
    ],
  ])('refuse %s', (_, text, words) => {
    const limits = { maxKeys: 900, maxDepth: 100 }
    expect(isRefused(() => assertTomlWithin(text, limits, 'it'), words)).toBe(true)
  })

  it('name what is too large, the limit and what raises it', () => {
    const limits = { maxKeys: 1, maxDepth: 2, option: 'maxKeys' }
    expect(() => assertTomlWithin('a=1\nb=1\n', limits, 'the invoice')).toThrow(
      /^the invoice has more than 1 keys .*raise "maxKeys" /,
    )
  })
})
