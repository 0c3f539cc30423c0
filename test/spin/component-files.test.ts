import { describe, expect, it } from 'vitest'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import type { ComponentFiles } from '../../src/spin/manifest/app-manifest.ts'
import { createAppFiles } from '../../src/spin/files/app-files.ts'
import { resolveComponentFiles } from '../../src/spin/source/component-files.ts'

const PATHS = [
  'spin.toml',
  'a.txt',
  'b.md',
  '.hidden',
  'dir/x.txt',
  'dir/y.map',
  'dir/sub/z.txt',
  'dir/sub/.dot',
  'we[ir]d/f',
  '[x]',
]
const app = createAppFiles(
  new Map([
    ['outside.txt', new Uint8Array()],
    ...PATHS.map((path) => [`app/${path}`, encodeUtf8(path)] as const),
  ]),
  'app/spin.toml',
)

function resolve(files: readonly ComponentFiles[], exclude_files: readonly string[] = []) {
  const { files: found, problems } = resolveComponentFiles({ files, exclude_files }, app, {
    left: 1e6,
  })
  return {
    found: Object.fromEntries(
      [...found].map(([path, bytes]) => [path, new TextDecoder().decode(bytes as Uint8Array)]),
    ),
    problems,
  }
}

const same = (...paths: string[]) => Object.fromEntries(paths.map((path) => [path, path]))

describe('files of a component', () => {
  it.each<[string, readonly ComponentFiles[], Readonly<Record<string, string>>]>([
    ['a file', ['a.txt'], same('a.txt')],
    ['a file with dots in its path', ['./dir/../a.txt'], same('a.txt')],
    ['a glob', ['*.txt'], same('a.txt')],
    ['a glob that takes dots', ['./*'], same('.hidden', '[x]', 'a.txt', 'b.md', 'spin.toml')],
    ['a glob at every depth', ['**/*.txt'], same('a.txt', 'dir/sub/z.txt', 'dir/x.txt')],
    [
      'a glob below a folder',
      ['dir/**/*'],
      same('dir/sub/.dot', 'dir/sub/z.txt', 'dir/x.txt', 'dir/y.map'),
    ],
    ['a file that looks like a glob', ['[x]'], same('[x]')],
    ['a file placed', [{ source: 'a.txt', destination: '/d/e.txt' }], { 'd/e.txt': 'a.txt' }],
    [
      'a folder placed',
      [{ source: 'dir/sub', destination: '/' }],
      { '.dot': 'dir/sub/.dot', 'z.txt': 'dir/sub/z.txt' },
    ],
    [
      'a folder placed elsewhere',
      [{ source: './dir/sub/', destination: 'p/q/' }],
      { 'p/q/.dot': 'dir/sub/.dot', 'p/q/z.txt': 'dir/sub/z.txt' },
    ],
    [
      'a folder whose name looks like a glob',
      [{ source: 'we[ir]d', destination: 'w' }],
      { 'w/f': 'we[ir]d/f' },
    ],
    [
      'a later entry over an earlier one',
      ['a.txt', { source: 'b.md', destination: '/a.txt' }],
      { 'a.txt': 'b.md' },
    ],
    ['nothing', [], {}],
  ])('can be %s', (_, files, expected) => {
    const { found, problems } = resolve(files)
    expect(found).toEqual(expected)
    expect(problems.filter(({ isWarning }) => !isWarning)).toEqual([])
  })

  it('of a folder as a pattern are doubled below it, as in Spin, with a warning', () => {
    const { found, problems } = resolve(['dir/sub'])
    expect(found).toEqual({
      'dir/sub/dir/sub/.dot': 'dir/sub/.dot',
      'dir/sub/dir/sub/z.txt': 'dir/sub/z.txt',
    })
    expect(problems).toMatchObject([{ code: 'folder-pattern', isWarning: true }])
  })

  it('that are excluded by name stay out of globs and folders, at every depth', () => {
    expect(
      resolve(['**/*.*', { source: 'dir', destination: 'd' }], ['*.map', '**/.dot', 'spin.toml'])
        .found,
    ).toEqual({
      ...same('.hidden', 'a.txt', 'b.md', 'dir/sub/z.txt', 'dir/x.txt'),
      'd/sub/z.txt': 'dir/sub/z.txt',
      'd/x.txt': 'dir/x.txt',
    })
  })

  it('that are named themselves come in though excluded, as in Spin', () => {
    expect(resolve(['dir/y.map', { source: 'a.txt', destination: 'a' }], ['*']).found).toEqual({
      'dir/y.map': 'dir/y.map',
      a: 'a.txt',
    })
  })

  it.each<[ComponentFiles, string, string]>([
    [
      'nothing',
      'missing-file',
      '"nothing" does not exist and doesn\'t appear to be a glob pattern',
    ],
    [
      { source: 'nothing', destination: '/' },
      'missing-file',
      'File or directory "nothing" does not exist',
    ],
    ['..', 'invalid-pattern', "can't end in a parent directory path (..)"],
    ['dir/..', 'invalid-pattern', "can't end in a parent directory path (..)"],
    ['.', 'invalid-pattern', "can't end in a current directory path (.)"],
    ['../outside.txt', 'outside', 'outside the application directory'],
    ['dir/../../outside.txt', 'outside', 'outside the application directory'],
    ['/etc/passwd', 'outside', 'outside the application directory'],
    [{ source: '../', destination: '/' }, 'outside', 'outside the application directory'],
    [{ source: '/etc', destination: '/' }, 'outside', 'outside the application directory'],
    [
      { source: 'a.txt', destination: '/' },
      'invalid-destination',
      '"/" is not a valid destination file name',
    ],
    [
      { source: 'a.txt', destination: 'd/' },
      'invalid-destination',
      '"d/" is not a valid destination file name',
    ],
    [
      { source: 'a.txt', destination: 'd/.' },
      'invalid-destination',
      'not a valid destination file name',
    ],
    [{ source: 'dir', destination: '/../x' }, 'invalid-destination', 'has ".."'],
    [{ source: 'a.txt', destination: 'C:/x' }, 'invalid-path', 'drive letter'],
    [{ source: 'a.txt', destination: 'a\\b' }, 'invalid-path', 'backslash'],
    ['a**', 'invalid-glob', 'recursive wildcards must form a single path component'],
    ['*/../x', 'invalid-pattern', 'has ".." after a wildcard'],
  ])('are refused from %j', (entry, code, message) => {
    const { found, problems } = resolve([entry])
    expect(found).toEqual({})
    expect(problems).toMatchObject([{ key: 'files', index: 0, code, isWarning: false }])
    expect(problems[0]?.message).toContain(message)
  })

  it.each([
    ['*', 'whole-application'],
    ['**/*', 'whole-application'],
    ['dir/**', 'no-files'],
    ['*.none', 'no-files'],
  ])('from %s come with a warning', (pattern, code) => {
    expect(resolve([pattern]).problems).toMatchObject([{ code, isWarning: true }])
  })

  it('have a finding for each pattern of exclude_files that is none', () => {
    expect(resolve([], ['ok', '[']).problems).toMatchObject([
      { key: 'exclude_files', index: 1, code: 'invalid-glob' },
    ])
  })
})
