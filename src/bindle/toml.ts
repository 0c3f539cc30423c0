import { parse, stringify, TomlError } from 'smol-toml'
import { SpindleError } from '../errors.ts'
import { decodeUtf8, encodeUtf8 } from '../bytes/text.ts'

/** Documents of Bindle are tables of this depth at most; the reader stops hostile ones early. */
const MAX_DEPTH = 32

/** A parsed table without a prototype: no key in it can be anything but data. */
interface TomlTable {
  readonly [key: string]: unknown
}

/**
 * Reads a TOML document.
 * @throws `ERR_CONTENT_INVALID` with line and column; also for integers above 2⁵³−1, which would
 * silently become other numbers.
 */
export function parseToml(source: string | Uint8Array, what: string): TomlTable {
  const text = typeof source === 'string' ? source : decodeUtf8(source)
  if (text === undefined) throw new SpindleError('ERR_CONTENT_INVALID', `${what} is not UTF-8`)
  try {
    return parse(text, { maxDepth: MAX_DEPTH })
  } catch (error) {
    const place = error instanceof TomlError ? `:${error.line}:${error.column}` : ''
    // The lines that follow quote the text, in which a server may have put a secret: no cause either.
    const [problem = ''] = (error as Error).message.split('\n', 1)
    throw new SpindleError('ERR_CONTENT_INVALID', `${what}${place}: ${problem}`)
  }
}

/**
 * A document in the order of the table's keys, tables after plain values as TOML demands.
 * @throws `ERR_CONTENT_INVALID` for what TOML has no form for, as keys with half a character.
 */
export function formatToml(table: TomlTable): Uint8Array<ArrayBuffer> {
  let text: string
  try {
    text = stringify(table)
  } catch (cause) {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `it can't be written as TOML: ${(cause as Error).message}`,
      { cause },
    )
  }
  return encodeUtf8(text)
}
