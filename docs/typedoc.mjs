// `npm run docs`: the API reference of what is built, one page per subpath, into docs/api.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const { exports } = JSON.parse(readFileSync(here('../package.json'), 'utf8'))

export default {
  name: 'Spindle',
  entryPoints: Object.values(exports).flatMap(({ types }) =>
    types === undefined ? [] : [here(`../${types}`)],
  ),
  tsconfig: here('tsconfig.json'),
  out: here('api'),
  readme: 'none',
  disableSources: true,
  validation: { notExported: true, invalidLink: true, notDocumented: true },
  requiredToBeDocumented: ['Class', 'Variable'],
  treatWarningsAsErrors: true,
}
