import { parse, TomlDate, TomlError } from 'smol-toml'
import { AppInvalid } from '../errors.ts'
import { createTextLines, type TextLines } from './code-frame.ts'
import { findTomlPlaces, type TomlPlace } from './toml-places.ts'

/** Manifests nest a few levels; deeper ones only exist to overflow a stack. */
const MAX_DEPTH = 64

/** A manifest's text, its values and where each stands. */
export interface TomlDocument {
  /** Path of the file in the application's tree. */
  readonly path: string
  /** A table without a prototype, as all tables in it. */
  readonly root: Readonly<Record<string, unknown>>
  readonly places: TomlPlace
  readonly lines: TextLines
}

/**
 * Reads a TOML text.
 * @throws `AppInvalid` with the place of what isn't TOML, or nests too deep.
 */
export function parseTomlDocument(text: string, path: string): TomlDocument {
  const lines = createTextLines(text)
  let root: Readonly<Record<string, unknown>>
  try {
    root = parse(text, { maxDepth: MAX_DEPTH })
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const { line, column } = cause
    const offset = offsetOf(text, line, column)
    // The error's own message repeats its code block.
    const message = cause.message.replace(/^Invalid TOML document: /, '').replace(/\n\n[^]*$/, '')
    throw new AppInvalid(
      [
        {
          code: 'toml-syntax',
          message,
          path,
          ...lines.positionOf(offset),
          frame: lines.frameOf(offset, offset + 1),
        },
      ],
      { cause },
    )
  }
  assertDepth(root, path)
  return { path, root, places: findTomlPlaces(text), lines }
}

export function isTomlDate(value: unknown): value is { toISOString(): string } {
  return value instanceof TomlDate
}

function offsetOf(text: string, line: number, column: number): number {
  let at = 0
  for (let i = 1; i < line; i++) at = text.indexOf('\n', at) + 1
  return Math.min(at + column - 1, text.length)
}

/** Dotted keys nest without brackets, which the parser doesn't count. */
function assertDepth(root: Readonly<Record<string, unknown>>, path: string): void {
  let level: object[] = [root]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) {
      throw new AppInvalid([
        { code: 'toml-depth', message: `tables nest deeper than ${MAX_DEPTH} levels`, path },
      ])
    }
    level = level.flatMap((value) =>
      Object.values(value).filter(
        (inner): inner is object =>
          typeof inner === 'object' && inner !== null && !isTomlDate(inner),
      ),
    )
  }
}
