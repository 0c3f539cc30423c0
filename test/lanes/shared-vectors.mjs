import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../../../shared/vectors/', import.meta.url))
const PREFIX = 'virtual:shared-vectors/'

/**
 * `import files from 'virtual:shared-vectors/sigstore'`: path to text of what may not be copied
 * into the project, for runtimes that have no file system. Empty where the folder isn't there.
 *
 * @returns {import('vite').Plugin}
 */
export function sharedVectors() {
  return {
    name: 'shared-vectors',
    resolveId: (id) => (id.startsWith(PREFIX) ? `\0${id}` : undefined),
    load(id) {
      if (!id.startsWith(`\0${PREFIX}`)) return undefined
      const root = join(folder, id.slice(PREFIX.length + 1))
      const paths = existsSync(root) ? readdirSync(root, { recursive: true }).map(String) : []
      const files = paths
        .map((path) => join(root, path))
        .filter((path) => statSync(path).isFile())
        .map((path) => [relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8')])
      return `export default ${JSON.stringify(Object.fromEntries(files))}`
    },
  }
}
