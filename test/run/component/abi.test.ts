import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { start } from './start.ts'

/** A type of the component model, how its text looks, and values of it as the linker has them. */
interface TypeCase {
  readonly wat: string
  readonly flat: readonly string[]
  readonly value: fc.Arbitrary<unknown>
}

const scalar = (wat: string, flat: string, value: fc.Arbitrary<unknown>): TypeCase => ({
  wat,
  flat: [flat],
  value,
})

// Lone surrogates aren't characters; NaN has many spellings and one value.
const character = fc
  .integer({ min: 0, max: 0x10ffff })
  .filter((c) => c < 0xd800 || c > 0xdfff)
  .map((c) => String.fromCodePoint(c))
const text = fc.string({ unit: character, maxLength: 12 })

const PRIMITIVES: readonly TypeCase[] = [
  scalar('bool', 'i32', fc.boolean()),
  scalar('u8', 'i32', fc.integer({ min: 0, max: 255 })),
  scalar('s8', 'i32', fc.integer({ min: -128, max: 127 })),
  scalar('u16', 'i32', fc.integer({ min: 0, max: 65535 })),
  scalar('s16', 'i32', fc.integer({ min: -32768, max: 32767 })),
  scalar('u32', 'i32', fc.nat({ max: 0xffffffff })),
  scalar('s32', 'i32', fc.integer()),
  scalar('u64', 'i64', fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  scalar('s64', 'i64', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  scalar('f32', 'f32', fc.float()),
  scalar('f64', 'f64', fc.double()),
  scalar('char', 'i32', character),
  { wat: 'string', flat: ['i32', 'i32'], value: text },
]

const join = (a: string | undefined, b: string): string =>
  a === undefined || a === b ? b : [a, b].every((t) => t === 'i32' || t === 'f32') ? 'i32' : 'i64'

function sum(
  wat: string,
  payloads: ReadonlyArray<TypeCase | undefined>,
  value: fc.Arbitrary<unknown>,
): TypeCase {
  const joined: string[] = []
  for (const payload of payloads)
    payload?.flat.forEach((type, i) => (joined[i] = join(joined[i], type)))
  return { wat, flat: ['i32', ...joined], value }
}

const tagged = (
  cases: ReadonlyArray<readonly [string, TypeCase | undefined]>,
): fc.Arbitrary<unknown> =>
  fc.oneof(
    ...cases.map(([tag, type]) =>
      (type?.value ?? fc.constant(undefined)).map((val) => ({ tag, val })),
    ),
  )

const labels = (count: number): string[] => Array.from({ length: count }, (_, i) => `l${i}-x`)
const keys = (count: number): string[] => Array.from({ length: count }, (_, i) => `l${i}X`)

const object = (names: readonly string[], values: readonly unknown[]): unknown =>
  Object.assign(Object.create(null), Object.fromEntries(names.map((name, i) => [name, values[i]])))

const { type: anyType } = fc.letrec<{ type: TypeCase }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    fc.constantFrom(...PRIMITIVES),
    fc.nat({ max: 3 }).map((i) => {
      const count = [1, 9, 20, 32][i] as number
      return {
        wat: `(flags ${labels(count)
          .map((l) => `"${l}"`)
          .join(' ')})`,
        flat: ['i32'],
        value: fc
          .array(fc.boolean(), { minLength: count, maxLength: count })
          .map((bits) => object(keys(count), bits)),
      }
    }),
    fc.constantFrom(1, 3, 256, 257).map((count): TypeCase => ({
      wat: `(enum ${labels(count)
        .map((l) => `"${l}"`)
        .join(' ')})`,
      flat: ['i32'],
      value: fc.constantFrom(...labels(count)),
    })),
    tie('type').map((element): TypeCase => ({
      wat: `(list ${element.wat})`,
      flat: ['i32', 'i32'],
      value:
        element.wat === 'u8'
          ? fc.uint8Array({ maxLength: 9 })
          : fc.array(element.value, { maxLength: 4 }),
    })),
    tie('type').map((element): TypeCase =>
      sum(
        `(option ${element.wat})`,
        [undefined, element],
        element.wat.startsWith('(option')
          ? tagged([
              ['none', undefined],
              ['some', element],
            ])
          : fc.option(element.value, { nil: undefined }),
      ),
    ),
    fc
      .tuple(fc.option(tie('type'), { nil: undefined }), fc.option(tie('type'), { nil: undefined }))
      .map(([ok, err]): TypeCase =>
        sum(
          `(result ${ok?.wat ?? ''} ${err === undefined ? '' : `(error ${err.wat})`})`,
          [ok, err],
          tagged([
            ['ok', ok],
            ['err', err],
          ]),
        ),
      ),
    fc.array(tie('type'), { minLength: 1, maxLength: 4 }).map((parts): TypeCase => ({
      wat: `(tuple ${parts.map((part) => part.wat).join(' ')})`,
      flat: parts.flatMap((part) => part.flat),
      value: fc.tuple(...parts.map((part) => part.value)),
    })),
    fc.array(tie('type'), { minLength: 1, maxLength: 4 }).map((parts): TypeCase => ({
      wat: `(record ${parts.map((part, i) => `(field "l${i}-x" ${part.wat})`).join(' ')})`,
      flat: parts.flatMap((part) => part.flat),
      value: fc
        .tuple(...parts.map((part) => part.value))
        .map((values) => object(keys(parts.length), values)),
    })),
    fc
      .array(fc.option(tie('type'), { nil: undefined }), { minLength: 1, maxLength: 4 })
      .map((payloads): TypeCase =>
        sum(
          `(variant ${payloads.map((p, i) => `(case "l${i}-x" ${p?.wat ?? ''})`).join(' ')})`,
          payloads,
          tagged(payloads.map((p, i) => [`l${i}-x`, p])),
        ),
      ),
  ),
}))

/** A component that hands its argument on to an import, and that one's result back. */
function echoComponent(type: TypeCase, encoding: string): string {
  const params = type.flat.length > 16 ? ['i32'] : type.flat
  const results = type.flat.length > 1 ? ['i32'] : type.flat
  const inner = type.flat.length > 1 ? [...params, 'i32'] : params
  const pass = params.map((_, i) => `local.get ${i}`).join(' ')
  const body =
    type.flat.length > 1
      ? `(local $r i32) (local.set $r (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 4096))) ${pass} local.get $r call $f local.get $r`
      : `${pass} call $f`
  const options = `(memory $mem) (realloc $realloc) ${encoding}`
  return `(component
    (type $t ${type.wat})
    (import "f" (func $f (param "x" $t) (result $t)))
    (core module $Libc
      (memory (export "mem") 32)
      (global $top (mut i32) (i32.const 64))
      (func $realloc (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $top) (i32.sub (local.get 2) (i32.const 1))) (i32.sub (i32.const 0) (local.get 2))))
        (global.set $top (i32.add (local.get $at) (local.get 3)))
        (memory.copy (local.get $at) (local.get 0) (local.get 1))
        (local.get $at)))
    (core instance $m (instantiate $Libc))
    (alias core export $m "mem" (core memory $mem))
    (alias core export $m "realloc" (core func $realloc))
    (core func $lowered (canon lower (func $f) ${options}))
    (core module $Main
      (import "host" "f" (func $f (param ${inner.join(' ')}) (result ${type.flat.length > 1 ? '' : results.join(' ')})))
      (import "libc" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
      (func (export "g") (param ${params.join(' ')}) (result ${results.join(' ')}) ${body}))
    (core instance $main (instantiate $Main
      (with "host" (instance (export "f" (func $lowered))))
      (with "libc" (instance $m))))
    (alias core export $main "g" (core func $g))
    (func (export "g") (param "x" $t) (result $t) (canon lift (core func $g) ${options})))`
}

async function echo(type: TypeCase, encoding: string, values: readonly unknown[]): Promise<void> {
  const seen: unknown[] = []
  const f = (value: unknown): unknown => {
    seen.push(value)
    return value
  }
  const instance = await start(echoComponent(type, encoding), { f })
  for (const value of values) {
    const result = await instance.call(['g'], value)
    expect(seen.pop()).toEqual(value)
    expect(result).toEqual(value)
  }
}

describe('the canonical ABI', () => {
  it.each(PRIMITIVES.map((type) => [type.wat, type] as const))(
    'passes %s both ways',
    async (_, type) => {
      await echo(type, '', fc.sample(type.value, { numRuns: 60, seed: 1 }))
    },
  )

  it.each(['string-encoding=utf8', 'string-encoding=utf16', 'string-encoding=latin1+utf16'])(
    'passes strings as %s',
    async (encoding) => {
      const type = PRIMITIVES[12] as TypeCase
      await echo(type, encoding, [
        '',
        'abc',
        'é\u00ff',
        '\ufeffbom',
        '\u0000',
        'ж',
        '😀',
        ...fc.sample(text, { numRuns: 60, seed: 2 }),
      ])
    },
  )

  it('passes any type both ways, in every string encoding', async () => {
    const samples = anyType.chain((type) =>
      fc.tuple(fc.constant(type), fc.array(type.value, { minLength: 1, maxLength: 4 })),
    )
    await fc.assert(
      fc.asyncProperty(
        samples,
        fc.constantFrom('utf8', 'utf16', 'latin1+utf16'),
        ([type, values], encoding) => echo(type, `string-encoding=${encoding}`, values),
      ),
      { numRuns: 150, seed: 7 },
    )
  }, 60_000)

  it('replaces what is no character in a string', async () => {
    for (const encoding of ['utf8', 'utf16', 'latin1+utf16']) {
      const wat = echoComponent(PRIMITIVES[12] as TypeCase, `string-encoding=${encoding}`)
      const instance = await start(wat, { f: (x: string) => x })
      expect(await instance.call(['g'], 'a\ud800b')).toBe('a\ufffdb')
    }
  })
})

describe('what lies over itself in a guest’s memory', () => {
  const passing = (type: string, count: number, items: string): string => `(component
    (core module $M (memory (export "mem") 64)
      (func (export "f") (result i32) (local $i i32)
        (loop $l ${items}
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $l (i32.lt_u (local.get $i) (i32.const ${count}))))
        (i32.store (i32.const 0) (i32.const 16))
        (i32.store (i32.const 4) (i32.const ${count}))
        (i32.const 0)))
    (core instance $m (instantiate $M))
    (alias core export $m "mem" (core memory $mem)) (alias core export $m "f" (core func $f))
    (func (export "f") (result ${type}) (canon lift (core func $f) (memory $mem))))`
  /** Every item is nearly all of memory. */
  const whole = `
    (i32.store (i32.add (i32.const 16) (i32.mul (local.get $i) (i32.const 8))) (i32.const 65536))
    (i32.store (i32.add (i32.const 20) (i32.mul (local.get $i) (i32.const 8))) (i32.const 4128768))`
  const run = async (wat: string): Promise<unknown> => (await start(wat)).call(['f'])

  it.each([
    ['bytes', '(list (list u8))'],
    ['numbers', '(list (list u32))'],
    ['texts', '(list string)'],
  ])('is not copied without end: %s', async (_, type) => {
    const items = type.includes('u32') ? whole.replace('4128768', '1032192') : whole
    await expect(run(passing(type, 1000, items))).rejects.toMatchObject({
      code: 'ERR_TRAP',
      message: expect.stringMatching(/more than 134217728 bytes out of memory/),
    })
  })

  it('passes as long as it is little', async () => {
    expect(await run(passing('(list (list u8))', 3, whole))).toHaveLength(3)
  })
})
