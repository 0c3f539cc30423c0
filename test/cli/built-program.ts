import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll } from 'vitest'

export const root: string = fileURLToPath(new URL('../../', import.meta.url))

export interface BuiltProgram {
  /** Holds `bin/`, to be put on PATH; may be written to. */
  readonly folder: string
  /** `spindle` itself, for Node. */
  readonly main: string
}

/** The real commands as they are installed, built from source: with their thread, in processes of their own. */
export async function buildProgram(version = '9.9.9'): Promise<BuiltProgram> {
  const folder = mkdtempSync(join(tmpdir(), 'spindle-program-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    bin: Record<string, string>
  }
  const entries = new Map(
    [
      ...readFileSync(join(root, 'tsup.config.ts'), 'utf8').matchAll(
        /^ {4}'?([\w-]+)'?: '(.*\.ts)',$/gm,
      ),
    ].map(([, name = '', path = '']) => [name, join(root, path)] as const),
  )
  const names = [...Object.values(bin).map((path) => basename(path, '.js')), 'app-worker']
  await build({
    entryPoints: Object.fromEntries(names.map((name) => [name, entries.get(name) ?? name])),
    outdir: join(folder, 'dist'),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'error',
  })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'spindle', version, type: 'module' }),
  )
  mkdirSync(join(folder, 'bin'))
  for (const [name, path] of Object.entries(bin)) {
    chmodSync(join(folder, path), 0o755)
    symlinkSync(join(folder, path), join(folder, 'bin', name))
  }
  return { folder, main: join(folder, 'dist', 'cli.js') }
}
