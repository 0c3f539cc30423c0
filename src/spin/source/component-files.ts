import { normalizePath, quotePath } from '../../bytes/path.ts'
import type { Content, FileTree } from '../../types.ts'
import type { ComponentFiles, ComponentTable } from '../manifest/app-manifest.ts'
import { type AppFiles, fileAt, filesBelow, resolvePath } from '../files/app-files.ts'
import { compileGlob, type GlobBudget, spend } from '../files/glob-pattern.ts'

/** Something about one entry of `files` or `exclude_files`. */
interface FilesProblem {
  readonly key: 'files' | 'exclude_files'
  readonly index: number
  readonly code: string
  readonly message: string
  readonly isWarning: boolean
}

interface Resolution {
  readonly app: AppFiles
  readonly budget: GlobBudget
  readonly isExcluded: (path: string) => boolean
  readonly found: Map<string, Uint8Array | Content>
  readonly problem: (code: string, message: string, isWarning?: boolean) => void
}

const OUTSIDE =
  'cannot be mapped because it is outside the application directory. Files must be within the application directory.'

/** Of files that nobody has named one by one. */
const EXCLUDE = ', or leave it out with exclude_files'

const INSTEAD =
  'If you want to include a directory, use source-destination form, or a glob pattern ending in **/*.'

/**
 * The files that a component sees, by their paths there, as Spin's loader copies them.
 * Where two entries give one path the later one wins.
 */
export function resolveComponentFiles(
  component: Pick<ComponentTable, 'files' | 'exclude_files'>,
  app: AppFiles,
  budget: GlobBudget,
): { readonly files: FileTree; readonly problems: readonly FilesProblem[] } {
  const problems: FilesProblem[] = []
  const excluders = (component.exclude_files ?? []).flatMap((pattern, index) => {
    const matcher = compileGlob(pattern, 'path', budget)
    if (typeof matcher === 'function') return [matcher]
    const message = `Invalid exclude_files glob pattern ${JSON.stringify(pattern)}: ${matcher.problem}`
    problems.push({ key: 'exclude_files', index, code: 'invalid-glob', message, isWarning: false })
    return []
  })
  const found = new Map<string, Uint8Array | Content>()
  for (const [index, entry] of (component.files ?? []).entries()) {
    resolveEntry(entry, {
      app,
      budget,
      found,
      isExcluded: (path) => excluders.some((matches) => matches(path)),
      problem: (code, message, isWarning = false) =>
        problems.push({ key: 'files', index, code, message, isWarning }),
    })
  }
  return { files: new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1))), problems }
}

function resolveEntry(entry: ComponentFiles, resolution: Resolution): void {
  if (typeof entry === 'string') resolvePattern(entry, resolution)
  else resolvePlacement(entry.source, entry.destination, resolution)
}

function resolvePattern(pattern: string, resolution: Resolution): void {
  const { app, budget, problem } = resolution
  if (/(?:^|\/)\.\.$/.test(pattern))
    return problem(
      'invalid-pattern',
      `A file pattern can't end in a parent directory path (..)\n${INSTEAD}`,
    )
  if (/(?:^|\/)\.$/.test(pattern))
    return problem(
      'invalid-pattern',
      `A file pattern can't end in a current directory path (.)\n${INSTEAD}`,
    )
  if (pattern === '*' || pattern === '**/*') {
    problem(
      'whole-application',
      `this includes the entire application directory; if this is what you want, write "./${pattern}"`,
      true,
    )
  }
  const path = resolvePath(pattern)
  if (path === undefined) return problem('outside', `${quotePath(pattern)} ${OUTSIDE}`)
  const file = fileAt(app, path)
  // A pattern that names one file takes it even when `exclude_files` names it too.
  if (file !== undefined && !pattern.endsWith('/')) return keep(path, file, resolution)
  const below = filesBelow(app, path)
  if (below.length > 0) {
    if (path !== '') {
      problem(
        'folder-pattern',
        `a folder as a pattern puts its files at "${path}/${path}/…"; write { source = ${JSON.stringify(path)}, destination = ${JSON.stringify(`/${path}`)} }`,
        true,
      )
    }
    return keepAll(below, path, resolution)
  }
  if (app.folders.has(path)) return problem('no-files', `${quotePath(pattern)} has no files`, true)
  if (!/[?*[]/.test(pattern)) {
    return problem(
      'missing-file',
      `${quotePath(pattern)} does not exist and doesn't appear to be a glob pattern`,
    )
  }
  if (hasParentAfterWildcard(pattern))
    return problem(
      'invalid-pattern',
      `${quotePath(pattern)} has ".." after a wildcard: name the folder`,
    )
  const matches = compileGlob(pattern.endsWith('/') ? `${path}/` : path, 'walk', budget)
  if (typeof matches !== 'function')
    return problem(
      'invalid-glob',
      `Failed to resolve glob pattern ${quotePath(pattern)}: ${matches.problem}`,
    )
  const matched = app.paths.filter(matches)
  if (matched.length === 0)
    problem(
      'no-files',
      `${quotePath(pattern)} matches no files${pattern.endsWith('**') ? ': write "**/*" to match files at any depth' : ''}`,
      true,
    )
  return keepAll(matched, '', resolution)
}

function hasParentAfterWildcard(pattern: string): boolean {
  const segments = pattern.split('/')
  const wild = segments.findIndex((segment) => /[?*[]/.test(segment))
  return segments.slice(wild).includes('..')
}

function resolvePlacement(source: string, destination: string, resolution: Resolution): void {
  const { app, problem } = resolution
  const path = resolvePath(source)
  if (path === undefined) return problem('outside', `${quotePath(source)} ${OUTSIDE}`)
  const target = destination.replace(/^\/+/, '')
  const segments = target.split('/')
  if (segments.includes('..'))
    return problem(
      'invalid-destination',
      `${quotePath(destination)} has "..": name where the component shall find it`,
    )
  const file = fileAt(app, path)
  if (file !== undefined) {
    const last = segments.at(-1)
    if (last === '' || last === '.')
      return problem(
        'invalid-destination',
        `${quotePath(destination)} is not a valid destination file name`,
      )
    return keep(target, file, resolution)
  }
  const below = filesBelow(app, path)
  if (below.length === 0 && app.folders.has(path))
    return problem('no-files', `${quotePath(source)} has no files`, true)
  if (below.length === 0)
    return problem('missing-file', `File or directory ${quotePath(source)} does not exist`)
  for (const inner of below) {
    if (!resolution.isExcluded(inner))
      keep(
        `${target}/${path === '' ? inner : inner.slice(path.length + 1)}`,
        fileAt(app, inner),
        resolution,
        EXCLUDE,
      )
  }
}

/** Paths from the application's folder stay what they are, below `folder`. */
function keepAll(paths: readonly string[], folder: string, resolution: Resolution): void {
  for (const path of paths) {
    if (!resolution.isExcluded(path))
      keep(`${folder}/${path}`, fileAt(resolution.app, path), resolution, EXCLUDE)
  }
}

/** To place a file takes as long as so many steps of a pattern. */
const STEPS_PER_FILE = 50

function keep(
  path: string,
  file: Uint8Array | Content | undefined,
  { found, problem, budget }: Resolution,
  instead = '',
): void {
  // The same folder may be named thousands of times.
  spend(budget, STEPS_PER_FILE)
  const result = normalizePath(path.replace(/^\/+/, ''))
  if ('problem' in result)
    return problem('invalid-path', `${quotePath(path)} ${result.problem}${instead}`)
  if (file !== undefined) found.set(result.path, file)
}
