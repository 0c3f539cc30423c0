import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Examples run what is published, the built package: this builds it when its source is newer. */
export function buildLibrary() {
  const newest = readdirSync(join(root, 'src'), { recursive: true })
    .map((name) => statSync(join(root, 'src', name)).mtimeMs)
    .reduce((a, b) => Math.max(a, b), 0)
  const built = join(root, 'dist', 'index.d.ts')
  if (existsSync(built) && statSync(built).mtimeMs > newest) return
  console.log('building …')
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(1)
}
