import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob, type GlobMode } from '../../src/spin/files/glob-pattern.ts'

function matches(pattern: string, path: string, mode: GlobMode): boolean {
  const matcher = compileGlob(pattern, mode)
  if (typeof matcher !== 'function') throw new Error(matcher.problem)
  return matcher(path)
}

describe('a pattern over a whole path', () => {
  it.each([
    ['*.map', 'a.map'],
    ['*.map', 'deep/down/a.map'],
    ['*', '.dot/x'],
    ['a?b', 'a/b'],
    ['**', 'any/thing'],
    ['**', ''],
    ['some/**/needle.txt', 'some/needle.txt'],
    ['some/**/needle.txt', 'some/one/needle.txt'],
    ['some/**/needle.txt', 'some/one/two/needle.txt'],
    ['a/**', 'a/b/c'],
    ['**/secret', 'secret'],
    ['**/secret', 'x/y/secret'],
    ['[a-z]', 'q'],
    ['[!a]', 'b'],
    ['[*]', '*'],
    ['[]]', ']'],
    ['[!]]', 'x'],
    ['[a-]', '-'],
    ['[-a]', '-'],
    ['**/**/x', 'x'],
    ['assets/**/*.tmp', 'assets/a.tmp'],
    ['assets/**/*.tmp', 'assets/a/b/c.tmp'],
    ['?', '😀'],
  ])('%s matches %s', (pattern, path) => expect(matches(pattern, path, 'path')).toBe(true))

  it.each([
    ['*.map', 'a.map.gz'],
    ['some/**/needle.txt', 'some/other/notthis.txt'],
    ['some/**/needle.txt', 'someneedle.txt'],
    ['**/secret', 'xsecret'],
    ['**/secret', 'secret/x'],
    ['A', 'a'],
    ['[a-z]', 'Q'],
    ['[!a]', 'a'],
    ['?', ''],
    ['a/**', 'ab'],
    ['{a,b}', 'a'],
    ['\\*', '*'],
  ])('%s does not match %s', (pattern, path) => expect(matches(pattern, path, 'path')).toBe(false))

  it.each([
    ['a**', 'recursive wildcards must form a single path component'],
    ['**a', 'recursive wildcards must form a single path component'],
    ['a/**b', 'recursive wildcards must form a single path component'],
    ['***', 'wildcards are either regular `*` or recursive `**`'],
    ['[', 'invalid range pattern'],
    ['[a', 'invalid range pattern'],
    ['[]', 'invalid range pattern'],
    ['[!]', 'invalid range pattern'],
    ['a'.repeat(1025), 'longer than 1024 characters'],
  ])('%s is refused', (pattern, problem) =>
    expect(compileGlob(pattern, 'path')).toEqual({ problem }),
  )
})

describe('a pattern for a walk through folders', () => {
  it.each([
    ['a/*', 'a/b'],
    ['a/*', 'a/.dot'],
    ['**/*', 'x'],
    ['**/*', 'x/y/z'],
    ['a/**/b', 'a/b'],
    ['a/**/b', 'a/x/y/b'],
    ['**/x/**/*', 'x/y'],
    ['*/b', 'a/b'],
    ['a/?.txt', 'a/1.txt'],
  ])('%s matches %s', (pattern, path) => expect(matches(pattern, path, 'walk')).toBe(true))

  it.each([
    ['a/*', 'a/b/c'],
    ['*', 'a/b'],
    ['a?b', 'a/b'],
    ['a[!x]b', 'a/b'],
    // A last `**` is folders only, as is what ends in a slash.
    ['a/**', 'a/b'],
    ['**', 'a'],
    ['a/*/', 'a/b'],
  ])('%s does not match %s', (pattern, path) => expect(matches(pattern, path, 'walk')).toBe(false))
})

/** What a pattern says, tried in every way: slow, but plain. */
function oracle(tokens: readonly string[], path: string, mode: GlobMode): boolean {
  const [token, ...rest] = tokens
  if (token === undefined) return path === ''
  if (token === '**/') {
    if (oracle(rest, path, mode)) return true
    for (let at = 0; at < path.length; at++)
      if (path[at] === '/' && oracle(rest, path.slice(at + 1), mode)) return true
    return mode === 'path' && path !== '' && oracle(rest, '', mode)
  }
  const isFree = (char: string | undefined): boolean =>
    char !== undefined && (mode === 'path' || char !== '/')
  if (token === '*') {
    for (let at = 0; ; at++) {
      if (oracle(rest, path.slice(at), mode)) return true
      if (!isFree(path[at])) return false
    }
  }
  if (token === '?') return isFree(path[0]) && oracle(rest, path.slice(1), mode)
  if (token === '[ab]') return /^[ab]/.test(path) && oracle(rest, path.slice(1), mode)
  if (token === '[!a]')
    return isFree(path[0]) && path[0] !== 'a' && oracle(rest, path.slice(1), mode)
  return path.startsWith(token) && oracle(rest, path.slice(token.length), mode)
}

describe('any pattern', () => {
  const segment = fc
    .array(fc.constantFrom('a', 'b', '.', '*', '?', '[ab]', '[!a]'), { minLength: 1, maxLength: 4 })
    .filter((tokens) => !tokens.some((token, at) => token === '*' && tokens[at + 1] === '*'))
  const folder = fc.oneof(
    fc.constant(['**/']),
    segment.map((tokens) => [...tokens, '/']),
  )
  const path = fc
    .array(fc.stringMatching(/^[ab.]{1,3}$/), { minLength: 1, maxLength: 4 })
    .map((segments) => segments.join('/'))

  it.each<GlobMode>(['path', 'walk'])('matches what trying every way matches: %s', (mode) => {
    fc.assert(
      fc.property(fc.array(folder, { maxLength: 3 }), segment, path, (folders, last, text) => {
        const tokens = [...folders.flat(), ...last]
        expect(matches(tokens.join(''), text, mode)).toBe(oracle(tokens, text, mode))
      }),
      { numRuns: 3000 },
    )
  })
})
