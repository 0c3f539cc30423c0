/** The code of a system error, for example `ENOENT`. */
export function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null | undefined)?.code
}

/** Adds the path to a system error of an open file, which has none. */
export function withPath(error: unknown, path: string): unknown {
  return error instanceof Error && codeOf(error) !== undefined && !('path' in error)
    ? Object.assign(error, { path })
    : error
}

/** Whether a system error means that there is no such file. */
export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR'
}

/** Returns `undefined` for a missing file, also if a parent is a file; rethrows other errors. */
export function absent(error: unknown): undefined {
  if (isMissing(error)) return undefined
  throw error
}
