import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('../../src/', import.meta.url))

/** A constant of the source that limits something, by its name. */
export interface LimitConstant {
  /** From `src`, as `http/transport.ts`. */
  readonly file: string
  readonly name: string
  readonly value: number
  /** The first sentences of its comment. */
  readonly comment: string
}

const LIMIT =
  /^(?:DEFAULT_)?(?:MAX|MOST|MIN|LONGEST|SLOWEST|LEAST)_\w+$|^(?:(?!DER_|LIMIT_)\w+_)?(?:BYTES|LIMIT|LENGTH|TIMEOUT|TIMEOUT_MS|TIME|ATTEMPTS|STEPS|AGE|CHARS|STALL|MS|IDLE|TTL|PER_MINUTE)$/

const CONSTANT =
  /((?:^\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n|^\/\/ .*\n)?)^(?:export )?const ([A-Z][A-Z0-9_]*)(?:: (?:number|bigint))? =\s*([-+*/() \w.<]+)\n/gm

/** All of them, in the order of the files. */
export function readLimits(): readonly LimitConstant[] {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .sort()
  return files.flatMap((file) => {
    const found = [...readFileSync(source + file, 'utf8').matchAll(CONSTANT)].map(
      ([, comment = '', name = '', text = '']) => ({ comment, name, text }),
    )
    const texts = new Map(found.map(({ name, text }) => [name, text]))
    return found
      .filter(({ name, text }) => LIMIT.test(name) && valueOf(text, texts) !== undefined)
      .map(({ comment, name, text }) => ({
        file,
        name,
        value: valueOf(text, texts) as number,
        comment: comment
          .replaceAll(/^\/\*\*|\*\/$|^\s*\* ?|^\/\/ /gm, ' ')
          .replaceAll(/\s+/g, ' ')
          .trim(),
      }))
  })
}

/** `undefined` for what is not made of numbers and such constants. */
function valueOf(text: string, texts: ReadonlyMap<string, string>): number | undefined {
  let isNumber = true
  const plain = text
    .replaceAll(/\b[A-Z][A-Z0-9_]*\b/g, (name) => {
      const value = texts.has(name) ? valueOf(texts.get(name) as string, texts) : undefined
      if (value === undefined) isNumber = false
      return String(value)
    })
    .replaceAll(/(?<=[\da-f])_(?=[\da-f])/gi, '')
    .replaceAll(/(?<=\d)n\b/g, '')
  if (!isNumber || !/^[-+*/() \dxoa-fA-F.<]+$/.test(plain)) return undefined
  // Of shifts beyond 32 bits, which only a bigint has.
  return plain.includes('<<')
    ? Number(new Function(`return ${plain.replaceAll(/\d+/g, '$&n')}`)())
    : (new Function(`return ${plain}`)() as number)
}
