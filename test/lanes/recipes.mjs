import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = new URL('../../', import.meta.url)
const PREFIX = 'virtual:recipes/'
const DOCUMENTS = ['docs/recipes.md', 'docs/migrating-from-bindle.md']

/**
 * `import { upload } from 'virtual:recipes/uploader.ts'`: the program of that name in one of the
 * documents, over the sources in place of the package.
 *
 * @returns {import('vite').Plugin}
 */
export function recipes() {
  /** Subpath to source, as the build has it. */
  const entries = new Map(
    [...read('tsup.config.ts').matchAll(/^ {4}'?([\w-]+)'?: '(.*\.ts)',$/gm)].map(
      ([, name, path]) => [name === 'index' ? 'spindle' : `spindle/${name}`, path],
    ),
  )
  return {
    name: 'recipes',
    enforce: 'pre',
    resolveId(id, importer) {
      if (id.startsWith(PREFIX)) return `\0${id}`
      if (!importer?.startsWith(`\0${PREFIX}`)) return undefined
      const path = entries.get(id)
      return path === undefined ? undefined : fileURLToPath(new URL(path, root))
    },
    load(id) {
      if (!id.startsWith(`\0${PREFIX}`)) return undefined
      const name = id.slice(PREFIX.length + 1)
      const program = DOCUMENTS.map(read)
        .join('\n')
        .split(`\`\`\`ts ${name}\n`)[1]
        ?.split('\n```\n')[0]
      if (program === undefined) throw new Error(`${DOCUMENTS.join(' and ')} have no ${name}`)
      return ts.transpile(program, {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
      })
    },
  }
}

/** @param {string} path */
function read(path) {
  return readFileSync(new URL(path, root), 'utf8')
}
