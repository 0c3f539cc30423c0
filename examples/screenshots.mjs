// Pictures of every state of the pages, light and dark, wide and narrow: the tests that go through
// all states take them on their way. `node examples/screenshots.mjs FOLDER`
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import process from 'node:process'
import { root } from './built.mjs'

const [folder] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: node examples/screenshots.mjs FOLDER')
  process.exit(2)
}
const { status } = spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    ...['run', '--config', 'test/vitest.config.ts', '--project', 'node', 'test/browser'],
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, SCREENSHOTS: resolve(folder) } },
)
process.exitCode = status ?? 1
