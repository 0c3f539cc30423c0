import { escapeUnseen } from './visible.ts'

/** Longest path in UTF-16 units: above what any file system takes, below what fills memory. */
export const MAX_PATH_LENGTH: number = 4096

/** A path that may be kept, or the reason why it may not, to be said after the path. */
type PathResult = { readonly path: string } | { readonly problem: string }

/**
 * A relative path in the one spelling used here: `a/b/c`, without `.`, empty segments or a
 * leading `/`. Refused is what leads out of a tree or means different things on different
 * machines: `..`, absolute paths, drive letters, `\`, control characters, lone surrogates.
 */
export function normalizePath(input: string): PathResult {
  if (input.length > MAX_PATH_LENGTH)
    return { problem: `is longer than ${MAX_PATH_LENGTH} characters` }
  if (input.includes('\\')) return { problem: 'has a backslash; use "/" between folders' }
  if (/\p{Cc}/u.test(input)) return { problem: 'has a control character; rename the file' }
  if (/\p{Surrogate}/u.test(input)) return { problem: 'is not valid Unicode; rename the file' }
  if (input.startsWith('/'))
    return { problem: 'is absolute; paths are relative to the application' }
  const segments = input.split('/').filter((segment) => segment !== '' && segment !== '.')
  if (segments.includes('..'))
    return { problem: 'has a ".." segment; paths may not lead out of the application' }
  if (segments.length === 0) return { problem: 'is empty; it should name a file' }
  const path = segments.join('/')
  // Looked for last: `./C:/x` has one too.
  if (/^[A-Za-z]:/.test(path))
    return { problem: 'begins with a drive letter; paths are relative to the application' }
  return { path }
}

/** A path as it may stand in a message: bounded, and nothing in it moves the cursor. */
export function quotePath(path: string): string {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path
  return escapeUnseen(JSON.stringify(shown))
}
