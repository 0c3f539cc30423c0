import { readToml, type TomlTable } from '../../bytes/toml.ts'
import type { DocumentLimits } from '../../bytes/document-limits.ts'
import { AppInvalid, isSpindleError } from '../../errors.ts'
import { createTextLines, type TextLines } from './code-frame.ts'
import { findTomlPlaces, type TomlPlace } from './toml-places.ts'

/**
 * A manifest of a thousand components has 20 000 keys. Fewer than of other documents: each is kept
 * with its place, and looked at more than once.
 */
const MAX_MANIFEST_KEYS = 25_000

/** Manifests nest a few levels; deeper ones only exist to overflow a stack. */
const MAX_DEPTH = 64

const LIMITS: DocumentLimits = { maxKeys: MAX_MANIFEST_KEYS, maxDepth: MAX_DEPTH }

/** A manifest's text, its values and where each stands. */
export interface TomlDocument {
  /** Path of the file in the application's tree. */
  readonly path: string
  /** A table without a prototype, as all tables in it. */
  readonly root: TomlTable
  readonly places: TomlPlace
  readonly lines: TextLines
}

/**
 * Reads a TOML text.
 * @throws `AppInvalid` with the place of what isn't TOML, or when it has too many keys or levels.
 */
export function parseTomlDocument(text: string, path: string): TomlDocument {
  const { table, problem } = read(text, path)
  const lines = createTextLines(text)
  if (table !== undefined) return { path, root: table, places: findTomlPlaces(text), lines }
  const offset = offsetOf(text, problem.line, problem.column)
  throw new AppInvalid(
    [
      {
        code: 'toml-syntax',
        message: problem.message,
        path,
        ...lines.positionOf(offset),
        frame: lines.frameOf(offset, offset + 1),
      },
    ],
    { cause: problem.cause },
  )
}

function read(text: string, path: string): ReturnType<typeof readToml> {
  try {
    return readToml(text, 'it', LIMITS)
  } catch (cause) {
    if (!isSpindleError(cause)) throw cause
    throw new AppInvalid([{ code: 'toml-limit', message: cause.message, path }], { cause })
  }
}

function offsetOf(text: string, line: number, column: number): number {
  let at = 0
  for (let i = 1; i < line; i++) at = text.indexOf('\n', at) + 1
  return Math.min(at + column - 1, text.length)
}
