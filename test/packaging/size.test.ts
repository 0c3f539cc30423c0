import { describe, expect, it } from 'vitest'
import { BUDGETS, bundle, formatSizes, measureSizes, UNBUDGETED } from './bundle.mjs'
import { manifest, notBuilt, subpaths } from './installed.ts'

/** Servers, the linker, TOML and Node. A message may name a handler, in parentheses, and WebAssembly. */
const APART =
  /create(?:Registry|Bindle|Relay|App)Handler(?!\))|WebAssembly\.|Suspending|TomlError|node:/

/** What a subpath must not reach, by names that survive bundling. */
const BLEED: ReadonlyArray<{
  readonly code: string
  readonly needs: readonly string[]
  readonly never: RegExp
}> = [
  {
    code: `export * from 'spindle/reference'`,
    needs: ['./reference'],
    never: /smol-toml|TomlError|fflate|inflate|WebAssembly\.|fetch\(/,
  },
  {
    code: `export * from 'spindle/push'; export * from 'spindle/pull'`,
    needs: ['./push', './pull'],
    never: APART,
  },
  { code: `export * from 'spindle/push'`, needs: ['./push'], never: APART },
  { code: `export * from 'spindle/pull'`, needs: ['./pull'], never: APART },
  { code: `export * from 'spindle/copy'`, needs: ['./copy'], never: APART },
  {
    code: `export * from 'spindle/resolve'`,
    needs: ['./resolve'],
    never: /create(?:Registry|Bindle|Relay|App)Handler(?!\))|WebAssembly\.|TomlError|inflate|node:/,
  },
  { code: `export * from 'spindle/sign'`, needs: ['./sign'], never: APART },
  { code: `export * from 'spindle/verify'`, needs: ['./verify'], never: APART },
  {
    code: `export * from 'spindle/bindle'`,
    needs: ['./bindle'],
    never: /create(?:Registry|Bindle|Relay|App)Handler(?!\))|WebAssembly\.|Suspending|node:/,
  },
  {
    code: `export { push, pull } from 'spindle'`,
    needs: ['./push', './pull'],
    never: APART,
  },
]

describe.skipIf(notBuilt !== undefined)('bundled for a page', () => {
  it('every subpath fits its budget', async () => {
    const rows = await measureSizes()
    console.log(formatSizes(rows))
    expect(rows.filter((row) => !row.fits).map((row) => row.name)).toEqual([])
  })

  it('every subpath has a budget', () => {
    const named = new Set([...BUDGETS.map((budget) => budget.name), ...UNBUDGETED])
    expect(Object.keys(manifest.exports).filter((subpath) => !named.has(subpath))).toEqual([])
  })

  it.each(BLEED.filter(({ needs }) => needs.every((name) => subpaths.includes(name))))(
    '$code brings nothing along that it has no use for',
    async ({ code, never }) => {
      const { text } = await bundle(code)
      expect(text.split('\n').filter((line) => never.test(line) && !isComment(line))).toEqual([])
    },
  )

  it('nothing but spindle/node reaches Node', async () => {
    const imported = subpaths.filter((subpath) => !UNBUDGETED.includes(subpath))
    const { metafile } = await bundle(
      imported
        .map((subpath, index) => `export * as m${index} from 'spindle${subpath.slice(1)}'`)
        .join('\n'),
    )
    const external = Object.values(metafile.outputs).flatMap((output) =>
      output.imports.map((entry) => entry.path),
    )
    expect(external).toEqual([])
  })
})

const isComment = (line: string): boolean => /^\s*(?:\/\/|\/?\*)/.test(line)
