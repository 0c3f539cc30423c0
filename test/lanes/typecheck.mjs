// Checks the types of all projects. What did not change since the last time is not checked again.
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const PROJECTS = ['.', 'src/node', 'test', 'examples', 'examples/edge-proxy']

for (const project of PROJECTS) {
  const memory = `.cache/types/${project === '.' ? 'core' : project}.json`
  const args = ['-p', project, '--incremental', '--tsBuildInfoFile', memory]
  const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', ...args], {
    cwd: root,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
}
