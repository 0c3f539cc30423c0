import { parseJson } from '../../../bytes/json.ts'
import { SpindleError } from '../../../errors.ts'

/** What an instance of a core module takes of a budget when it is made. */
export interface ModuleCost {
  readonly bytes: number
  /** Imported tables: older engines keep a copy of each for every instance. */
  readonly tables: ReadonlyArray<readonly [module: string, name: string, maximum: number | null]>
  /** It can throw, so that each stack may hold exceptions. */
  readonly throws: boolean
}

/** Things of a module that each of its instances has. */
export interface ModuleParts {
  functions: number
  /** Elements of segments: each becomes a function object when it is used. */
  elements: number
  elementSegments: number
  dataSegments: number
  imports: number
  exports: number
  globals: number
  tags: number
  types: number
  tables: number
  /** Elements that the module's own tables may grow to. */
  tableElements: number
  memories: number
  /** Pages that the module's own memories begin with. */
  pages: number
}

export const PAGE = 65_536

/** Bytes in V8, measured in Node 20 to 26: the highest of them, rounded up. */
const BYTES: Readonly<Record<keyof ModuleParts, number>> = {
  functions: 16,
  elements: 320,
  elementSegments: 32,
  dataSegments: 16,
  imports: 180,
  exports: 440,
  globals: 24,
  tags: 40,
  types: 16,
  tables: 560,
  tableElements: 32,
  memories: 1024,
  pages: PAGE,
}
const INSTANCE = 2048
const IMPORTED_TABLE_ELEMENT = 24

/** Elements that a table may grow by: no toolchain's table grows, and each costs as if it had. */
export const MAX_TABLE_GROWTH = 65_536

export function bytesOfParts(parts: ModuleParts): number {
  return (Object.keys(BYTES) as Array<keyof ModuleParts>).reduce(
    (sum, part) => sum + parts[part] * BYTES[part],
    INSTANCE,
  )
}

/** The custom section in which a metered module says what it costs, as JSON. */
export const COST_SECTION = 'spindle.cost'

const costs = new WeakMap<WebAssembly.Module, ModuleCost>()

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** `undefined` for modules that `meterModule` hasn't made. */
export function costOf(module: WebAssembly.Module): ModuleCost | undefined {
  const known = costs.get(module)
  if (known !== undefined) return known
  const section = WebAssembly.Module.customSections(module, COST_SECTION).at(-1)
  if (section === undefined) return undefined
  const cost = parseJson(new Uint8Array(section), 'the cost of a core module') as ModuleCost
  if (!isCount(cost.bytes) || !Array.isArray(cost.tables))
    throw new SpindleError('ERR_CONTENT_INVALID', 'a core module has a malformed cost')
  costs.set(module, cost)
  return cost
}

/** Bytes that an instance of a module takes of a budget with these imports. */
export function bytesOfInstance(
  { bytes, tables }: ModuleCost,
  imports: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>,
): number {
  return tables.reduce((sum, [module, name, maximum]) => {
    const table = imports[module]?.[name]
    // What is no table doesn't link.
    if (!(table instanceof WebAssembly.Table)) return sum
    const most = table.length + MAX_TABLE_GROWTH
    return sum + Math.min(maximum ?? most, most) * IMPORTED_TABLE_ELEMENT
  }, bytes)
}
