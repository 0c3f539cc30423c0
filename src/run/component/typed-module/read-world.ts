import { rewordError } from '../../../bytes/reword-error.ts'
import { isSpindleError } from '../../../errors.ts'
import type { CanonOptions, Declaration, Definition, TypeDef, World } from '../binary/model.ts'
import { readComponent } from '../binary/parse.ts'
import { createReader, type Reader } from '../binary/reader.ts'

const ENCODINGS: ReadonlyArray<CanonOptions['encoding']> = ['utf8', 'utf16', 'latin1+utf16']
/** Of wit-bindgen before 0.17: a string encoding and the world's name before a package of many worlds. */
const OLD_FORMAT = 3
/** A component with one world, and a custom section with the string encoding. */
const FORMAT = 4
const ENCODING_SECTION = 'wit-component-encoding'

function encodingOf(r: Reader): CanonOptions['encoding'] {
  const code = r.byte()
  return ENCODINGS[code] ?? r.unknown('string encoding', code)
}

/** The worlds of a package, by their names without package and version. */
type Worlds = ReadonlyArray<readonly [name: string, declarations: readonly Declaration[]]>

/** A type space: every definition or declaration of a type takes its next index. */
function typesOf(items: ReadonlyArray<Definition | Declaration>): Array<TypeDef | undefined> {
  const types: Array<TypeDef | undefined> = []
  for (const item of items) {
    if (item.kind === 'type') types.push(item.def)
    else if (item.kind === 'alias' && item.sort === 'type') types.push(undefined)
    else if (item.kind === 'import' && item.type.kind === 'type') types.push(undefined)
    else if (item.kind === 'export') {
      if ('item' in item && item.item.sort === 'type') types.push(types[item.item.index])
      else if (!('item' in item) && item.type.kind === 'type') types.push(undefined)
    }
  }
  return types
}

function worldsOf(definitions: readonly Definition[]): Worlds {
  const types = typesOf(definitions)
  return definitions.flatMap((definition): Worlds => {
    if (definition.kind !== 'export' || definition.item.sort !== 'type') return []
    const outer = types[definition.item.index]
    if (outer?.kind !== 'component') return []
    const inner = typesOf(outer.declarations)
    return outer.declarations.flatMap((declaration): Worlds => {
      if (declaration.kind !== 'export' || declaration.type.kind !== 'component') return []
      const world = inner[declaration.type.index]
      if (world?.kind !== 'component') return []
      const [, name = declaration.name] = /\/([^/@]+)(?:@.*)?$/.exec(declaration.name) ?? []
      return [[name, world.declarations]]
    })
  })
}

/**
 * Reads the content of one `component-type` section.
 *
 * Throws `ERR_CONTENT_INVALID` where it is malformed, `ERR_UNSUPPORTED` for formats and features that
 * are not known, `ERR_LIMIT_EXCEEDED` above `taken` items in all; each names the section.
 */
export function readWorld(
  file: Uint8Array,
  { name, start, end }: { readonly name: string; readonly start: number; readonly end: number },
  taken: { items: number },
): World {
  try {
    const r = createReader(file, start, end, taken)
    if (r.peek() === OLD_FORMAT) {
      r.byte()
      const encoding = encodingOf(r)
      const wanted = r.name()
      const found = worldsOf(readComponent(r, 0).definitions).filter(([world]) => world === wanted)
      return { section: name, encoding, declarations: only(r, found, `world "${wanted}"`) }
    }
    let encoding: CanonOptions['encoding'] | undefined
    const { definitions } = readComponent(r, 0, (custom, content) => {
      if (custom !== ENCODING_SECTION) return
      const format = content.byte()
      if (format !== FORMAT) content.unsupported(`format ${format} of a component-type section`)
      encoding = encodingOf(content)
    })
    if (encoding === undefined) return r.fail(`there is no section "${ENCODING_SECTION}"`)
    return { section: name, encoding, declarations: only(r, worldsOf(definitions), 'world') }
  } catch (error) {
    if (!isSpindleError(error)) throw error
    const place = `its section ${JSON.stringify(name.slice(0, 200))}`
    throw rewordError(error, `${place}: ${error.message}`)
  }
}

function only(r: Reader, worlds: Worlds, what: string): readonly Declaration[] {
  if (worlds.length !== 1) return r.fail(`it describes ${worlds.length} of one ${what}`)
  return (worlds[0] as Worlds[number])[1]
}
