import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat } from '../../../src/bytes/stream.ts'
import { isSpindleError } from '../../../src/errors.ts'
import { compileComponent } from '../../../src/run/component/compile.ts'
import { instantiateComponent } from '../../../src/run/component/instantiate.ts'
import type { ComponentDef } from '../../../src/run/component/binary/model.ts'
import { parseComponent } from '../../../src/run/component/binary/parse.ts'
import { bytesOfFile } from '../fixtures.ts'

const HEAD = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0)
const CORE_MODULE = 1

interface Section {
  readonly id: number
  readonly body: Uint8Array
}

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)]
}

function join(sections: readonly Section[]): Uint8Array {
  return concat([
    HEAD,
    ...sections.flatMap(({ id, body }) => [Uint8Array.from([id, ...leb(body.length)]), body]),
  ])
}

/** A component's sections, by a reader that knows nothing else of the format. */
function split(bytes: Uint8Array): Section[] {
  const sections: Section[] = []
  for (let at = HEAD.length; at < bytes.length;) {
    const id = bytes[at++] as number
    let size = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] as number
      size |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    sections.push({ id, body: bytes.subarray(at, (at += size)) })
  }
  return sections
}

const components = [
  'examples/hello/hello.wasm',
  ...['async', 'stackful', 'proxy-draft', 'inbound', 'command'].map(
    (name) => `test/guests/${name}.wasm`,
  ),
].map((path) => [path, bytesOfFile(path)] as const)

/** One change to bytes: overwritten, put in, cut out, or said twice. */
const change = fc
  .record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    what: fc.constantFrom('set', 'insert', 'cut', 'repeat'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }),
  })
  .map(({ at, what, bytes }) => (body: Uint8Array): Uint8Array => {
    const start = Math.floor(at * body.length)
    const end = Math.min(body.length, start + (what === 'insert' ? 0 : bytes.length))
    const hit = body.subarray(start, end)
    const middle = what === 'cut' ? [] : what === 'repeat' ? [hit, hit] : [bytes]
    return concat([body.subarray(0, start), ...middle, body.subarray(end)])
  })

/** What parsing comes to: definitions, or a refusal that says where. Anything else is thrown. */
function parsed(bytes: Uint8Array): ComponentDef | undefined {
  try {
    return parseComponent(bytes)
  } catch (error) {
    if (!isSpindleError(error)) throw error
    expect(error.code).toMatch(/^ERR_(?:CONTENT_INVALID|UNSUPPORTED)$/)
    expect(error.message).toMatch(/\(at byte \d+\)$/)
    return undefined
  }
}

describe('bytes that are no component', () => {
  it('are refused with a place', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        parsed(Uint8Array.from([...HEAD, ...bytes]))
      }),
      { numRuns: 2000 },
    )
  })

  it.each(components)('are refused when they are %s cut off', (_, bytes) => {
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), (length) => {
        parsed(bytes.subarray(0, length))
      }),
      { numRuns: 200 },
    )
  })
})

describe.each(components)('%s, damaged', (_, bytes) => {
  const sections = split(bytes)
  // The engine checks core modules itself, and they would take all the hits.
  const own = sections.flatMap(({ id }, i) => (id === CORE_MODULE ? [] : [i]))

  it('is parsed or refused with a place', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...own), change), { minLength: 1, maxLength: 3 }),
        (changes) => {
          const damaged = sections.slice()
          for (const [i, apply] of changes) {
            const { id, body } = damaged[i] as Section
            damaged[i] = { id, body: apply(body) }
          }
          parsed(join(damaged))
        },
      ),
      { numRuns: 400 },
    )
  })

  it('is linked or refused, never crashes', async () => {
    // No host function has a result to give, so a start that got as far as calling one ends there.
    const imports = () => ({ functions: {} })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...own),
        change,
        fc.constantFrom('damaged', 'dropped', 'moved', 'doubled'),
        async (i, apply, how) => {
          const all = sections.slice()
          const section = all[i] as Section
          if (how === 'damaged') all[i] = { ...section, body: apply(section.body) }
          else if (how === 'dropped') all.splice(i, 1)
          else if (how === 'moved') all.push(...all.splice(i, 1))
          else all.splice(i, 0, section)
          const component = parsed(join(all))
          if (component === undefined) return
          try {
            const compiled = await compileComponent(component)
            const instance = await instantiateComponent(compiled, { jspi: false, imports })
            instance.dispose()
          } catch (error) {
            if (!isSpindleError(error)) throw error
            if (error.code === 'ERR_CONTENT_INVALID')
              expect(error.message).toMatch(/\(at byte \d+\)$/)
          }
        },
      ),
      { numRuns: 150 },
    )
  }, 30_000)
})
