import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll } from 'vitest'

export const root: string = fileURLToPath(new URL('../..', import.meta.url))

export interface PackageManifest {
  readonly name: string
  readonly exports: Readonly<
    Record<string, string | { readonly types: string; readonly default: string }>
  >
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly bin?: Readonly<Record<string, string>>
}

export const manifest = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
) as PackageManifest

/** Subpaths with code: `.` and `./x`, without `./package.json`. */
export const subpaths: readonly string[] = Object.keys(manifest.exports).filter(
  (subpath) => subpath !== './package.json',
)

/** `./push` → `spindle/push`. */
export const specifierOf = (subpath: string): string => manifest.name + subpath.slice(1)

/** Subpaths that need more than Web APIs, by what they need. */
export const NEEDS_NODE: readonly string[] = ['./node']
export const NEEDS_MSW: readonly string[] = ['./mocks']
export const portableSubpaths: readonly string[] = subpaths.filter(
  (subpath) => !NEEDS_NODE.includes(subpath) && !NEEDS_MSW.includes(subpath),
)

/** Why `dist` can't be checked, or `undefined`: `npm test` builds it first, single test runs may not. */
export const notBuilt: string | undefined = findStaleness()

function findStaleness(): string | undefined {
  const built = join(root, 'dist/index.d.ts')
  if (!existsSync(built)) return 'dist is not built; npm run build'
  const newest = ts.sys
    .readDirectory(join(root, 'src'), ['.ts'])
    .reduce((time, path) => Math.max(time, statSync(path).mtimeMs), 0)
  return newest > statSync(built).mtimeMs ? 'dist is older than src; npm run build' : undefined
}
if (notBuilt !== undefined) console.warn(`left out: packaging tests: ${notBuilt}`)

export interface Installed {
  /** A project of a user's, with the package in its `node_modules`. */
  readonly directory: string
  readonly tarball: string
  /** In the tarball, from the package's root. */
  readonly files: readonly string[]
}

/**
 * The package as a user gets it: packed, and unpacked beside its own dependencies and no others.
 * `also` names dev dependencies that this user has as well.
 */
export function installPackage(also: readonly string[] = []): Installed {
  const directory = mkdtempSync(join(tmpdir(), 'spindle-packaging-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const packed = execFileSync(
    'npm',
    ['pack', '--json', '--ignore-scripts', '--pack-destination', directory],
    {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  const [entry] = Object.values(
    JSON.parse(packed) as Record<string, { filename: string; files: { path: string }[] }>,
  )
  if (entry === undefined) throw new Error(`npm pack said ${packed}`)
  const tarball = join(directory, entry.filename)
  const target = join(directory, 'node_modules', manifest.name)
  mkdirSync(target, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '-C', target, '--strip-components=1'])
  for (const name of [...Object.keys(manifest.dependencies), ...also]) {
    const link = join(directory, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), link)
  }
  return { directory, tarball, files: entry.files.map((file) => file.path) }
}
