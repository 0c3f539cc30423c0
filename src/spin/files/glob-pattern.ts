import { SpindleError } from '../../errors.ts'

/** Longest pattern in characters; with a path's bounded length it bounds the work of one match. */
const MAX_GLOB_LENGTH: number = 1024

/**
 * Steps that all matches of one application may take together. 10 000 files under 20 patterns take
 * some 5 million; this many take a second or two (measured).
 */
export const MAX_GLOB_STEPS: number = 200_000_000

/** Counts steps over many matches, so that hostile patterns end in an error and not in hours. */
export interface GlobBudget {
  left: number
}

type Token =
  | { readonly type: 'char'; readonly char: string }
  | { readonly type: 'any' }
  | { readonly type: 'sequence' }
  /** `**` and the `/` after it. */
  | { readonly type: 'folders' }
  | {
      readonly type: 'class'
      readonly isNegated: boolean
      readonly ranges: readonly (readonly [string, string])[]
    }

/** How `*`, `?` and `[…]` treat `/`. */
export type GlobMode =
  /** As a walk through folders does: they don't match it, and a last `**` matches folders only. */
  | 'walk'
  /** As a pattern over the whole path does: they match it. */
  | 'path'

/**
 * Compiles a pattern as Rust's `glob` 0.3 reads it: `?`, `*`, `**` as a whole folder, `[a-z]`, `[!a]`.
 * Leading dots are not special, there are no braces and no escapes but classes of one.
 *
 * @returns A matcher that runs in time of pattern by path, or what is wrong with the pattern.
 */
export function compileGlob(
  pattern: string,
  mode: GlobMode,
  budget: GlobBudget = { left: MAX_GLOB_STEPS },
): ((path: string) => boolean) | { readonly problem: string } {
  const tokens = parseGlob(pattern, mode)
  if ('problem' in tokens) return tokens
  if (mode === 'walk' && (tokens.at(-1)?.type === 'folders' || pattern.endsWith('/')))
    return () => false
  const firstWild = tokens.findIndex(({ type }) => type !== 'char')
  const prefix = tokens
    .slice(0, firstWild === -1 ? tokens.length : firstWild)
    .map((token) => (token.type === 'char' ? token.char : ''))
    .join('')
  return (path) => {
    spend(budget, 1)
    return path.startsWith(prefix) && matches(tokens, [...path], mode, budget)
  }
}

/** @throws `ERR_LIMIT_EXCEEDED` when it is used up. */
export function spend(budget: GlobBudget, steps: number): void {
  budget.left -= steps
  if (budget.left < 0)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      'the file patterns of the application take too long to match: use fewer wildcards',
    )
}

function parseGlob(
  pattern: string,
  mode: GlobMode,
): readonly Token[] | { readonly problem: string } {
  const chars = [...pattern]
  if (chars.length > MAX_GLOB_LENGTH)
    return { problem: `longer than ${MAX_GLOB_LENGTH} characters` }
  const tokens: Token[] = []
  let at = 0
  while (at < chars.length) {
    const char = chars[at] as string
    if (char === '?') {
      tokens.push({ type: 'any' })
      at++
    } else if (char === '*') {
      const start = at
      while (chars[at] === '*') at++
      if (at - start > 2) return { problem: 'wildcards are either regular `*` or recursive `**`' }
      if (at - start === 1) {
        tokens.push({ type: 'sequence' })
        continue
      }
      const isWhole =
        (start === 0 || chars[start - 1] === '/') && (at === chars.length || chars[at] === '/')
      if (!isWhole) return { problem: 'recursive wildcards must form a single path component' }
      at++
      if (tokens.at(-1)?.type !== 'folders') tokens.push({ type: 'folders' })
    } else if (char === '[') {
      const parsed = parseClass(chars, at, mode)
      if (parsed === undefined) return { problem: 'invalid range pattern' }
      tokens.push(parsed.token)
      at = parsed.end
    } else {
      tokens.push({ type: 'char', char })
      at++
    }
  }
  return tokens
}

function parseClass(
  chars: readonly string[],
  at: number,
  mode: GlobMode,
): { readonly token: Token; readonly end: number } | undefined {
  const isNegated = chars[at + 1] === '!'
  const start = at + (isNegated ? 2 : 1)
  // The first character is one of the class even when it is `]`.
  const close = chars.indexOf(']', start + 1)
  if (close === -1) return undefined
  const inner = chars.slice(start, close)
  if (mode === 'walk' && inner.includes('/')) return undefined
  const ranges: (readonly [string, string])[] = []
  for (let i = 0; i < inner.length; i++) {
    const from = inner[i] as string
    if (inner[i + 1] === '-' && i + 2 < inner.length) {
      ranges.push([from, inner[i + 2] as string])
      i += 2
    } else {
      ranges.push([from, from])
    }
  }
  return { token: { type: 'class', isNegated, ranges }, end: close + 1 }
}

/**
 * Follows all ways through the pattern at once, so that no pattern can make it go back.
 * A state is the index of a token; of `folders` there is a second one, within a folder's name.
 */
function matches(
  tokens: readonly Token[],
  path: readonly string[],
  mode: GlobMode,
  budget: GlobBudget,
): boolean {
  const count = tokens.length
  let active = new Set<number>()
  enter(tokens, 0, active)
  for (const char of path) {
    spend(budget, active.size)
    const next = new Set<number>()
    for (const state of active) step(tokens, state, char, mode, next)
    if (next.size === 0) return false
    active = next
  }
  if (active.has(count)) return true
  if (mode === 'walk') return false
  // Over a whole path, `**` may also take all that is left.
  const ended = new Set<number>()
  for (const state of active) if (state > count) enter(tokens, state - count, ended)
  return ended.has(count)
}

/** Adds a state and those reached from it by matching nothing. */
function enter(tokens: readonly Token[], state: number, states: Set<number>): void {
  for (let at = state; !states.has(at); at++) {
    states.add(at)
    const type = tokens[at]?.type
    if (type !== 'sequence' && type !== 'folders') return
  }
}

function step(
  tokens: readonly Token[],
  state: number,
  char: string,
  mode: GlobMode,
  next: Set<number>,
): void {
  const count = tokens.length
  const isWithin = state > count
  // The second state of token `i` is `count + 1 + i`.
  const index = isWithin ? state - count - 1 : state
  const token = tokens[index]
  if (token === undefined) return
  if (token.type === 'folders') {
    if (char === '/') enter(tokens, index, next)
    else next.add(count + 1 + index)
    return
  }
  if (token.type === 'char') {
    if (char === token.char) enter(tokens, index + 1, next)
    return
  }
  if (mode === 'walk' && char === '/') return
  if (token.type === 'sequence') enter(tokens, index, next)
  else if (token.type === 'any' || inClass(token.ranges, char) !== token.isNegated)
    enter(tokens, index + 1, next)
}

function inClass(ranges: readonly (readonly [string, string])[], char: string): boolean {
  const code = char.codePointAt(0) as number
  return ranges.some(
    ([from, to]) =>
      code >= (from.codePointAt(0) as number) && code <= (to.codePointAt(0) as number),
  )
}
