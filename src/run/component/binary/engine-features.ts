import { SpindleError } from '../../../errors.ts'
import { RELAXED, skipInstruction, type Cursor } from './instructions.ts'
import { skipLocals } from './read-body.ts'
import type { ModuleLayout } from './read-module.ts'

/** Part of WebAssembly that some of the engines that Spindle runs on don't have yet. */
interface Feature {
  readonly name: string
  /** The first versions that have it. */
  readonly engines: string
  /** The smallest module that uses it, after its eight bytes of preamble. */
  readonly probe: readonly number[]
  readonly isUsed: (layout: ModuleLayout, opcodes: ReadonlySet<number>) => boolean
}

const VECTOR = 0xfd

// A type and a function of it, without parameters and results.
const ONE_FUNCTION = [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0]

const has =
  (...wanted: readonly number[]): Feature['isUsed'] =>
  (_, opcodes) =>
    wanted.some((opcode) => opcodes.has(opcode))

const FEATURES: readonly Feature[] = [
  {
    name: 'extended constant expressions',
    engines: 'Node.js 22, Chromium 114, Firefox 112, Safari 17.4',
    probe: [6, 9, 1, 0x7f, 0, 0x41, 1, 0x41, 1, 0x6a, 0x0b],
    isUsed: ({ extendsConstants }) => extendsConstants,
  },
  {
    name: 'more than one memory',
    engines: 'Node.js 22, Chromium 120, Firefox 125',
    probe: [5, 5, 2, 0, 0, 0, 0],
    isUsed: ({ memories }) => memories.length > 1,
  },
  {
    name: 'tail calls',
    engines: 'Node.js 20, Chromium 112, Firefox 121, Safari 18.2',
    probe: [...ONE_FUNCTION, 10, 6, 1, 4, 0, 0x12, 0, 0x0b],
    isUsed: has(0x12, 0x13, 0x15),
  },
  {
    name: 'relaxed vector instructions',
    engines: 'Node.js 22, Chromium 114',
    // i8x16.relaxed_swizzle of two splats
    probe: [
      ...ONE_FUNCTION,
      ...[10, 16, 1, 14, 0, 0x41, 0, VECTOR, 0x0f, 0x41, 0, VECTOR, 0x0f, VECTOR, 0x80, 2],
      ...[0x1a, 0x0b],
    ],
    isUsed: has(RELAXED),
  },
  {
    name: 'exceptions with references (exnref)',
    engines: 'Node.js 22, Chromium 137, Firefox 131, Safari 18.4',
    probe: [...ONE_FUNCTION, 10, 8, 1, 6, 0, 0x1f, 0x40, 0, 0x0b, 0x0b],
    isUsed: has(0x0a, 0x1f),
  },
  {
    name: 'typed function references',
    engines: 'Node.js 22, Chromium 119, Firefox 120, Safari 18.2',
    probe: [...ONE_FUNCTION, 10, 8, 1, 6, 0, 0xd0, 0x70, 0xd4, 0x1a, 0x0b],
    isUsed: has(0x14, 0x15, 0xd4, 0xd5, 0xd6),
  },
]

function engineHas({ probe }: Feature): boolean {
  return WebAssembly.validate(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...probe))
}

/** All opcodes in the module's code. */
function opcodesOf(bytes: Uint8Array, { bodies }: ModuleLayout): ReadonlySet<number> {
  const opcodes = new Set<number>()
  for (const { at, end } of bodies) {
    const cursor: Cursor = { bytes, at, end }
    skipLocals(cursor)
    while (cursor.at < cursor.end) opcodes.add(skipInstruction(cursor))
  }
  return opcodes
}

/**
 * Why this engine can't compile a module that others can: `ERR_UNSUPPORTED`, naming them. `undefined`
 * for a module that uses nothing but what the engine has: then it is invalid.
 */
export function missingFeature(bytes: Uint8Array, layout: ModuleLayout): SpindleError | undefined {
  const missing = FEATURES.filter((feature) => !engineHas(feature))
  if (missing.length === 0) return undefined
  const opcodes = opcodesOf(bytes, layout)
  const found = missing.find(({ isUsed }) => isUsed(layout, opcodes))
  if (found === undefined) return undefined
  return new SpindleError(
    'ERR_UNSUPPORTED',
    `a core module uses ${found.name}, which this JavaScript engine doesn't have: ` +
      `${found.engines} and newer have them`,
  )
}
