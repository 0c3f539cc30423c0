import { readFileSync } from 'node:fs'
import { dirname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

/** A file imports from its own folder or from a lower layer, never upward, and never from a neighbour. */
const LAYER_OF: Readonly<Record<string, number>> = {
  'errors.ts': 0,
  'types.ts': 0,
  bytes: 1,
  oci: 2,
  http: 2,
  store: 3,
  bindle: 3,
  spin: 4,
  registry: 4,
  trust: 4,
  serve: 5,
  run: 6,
  verbs: 7,
  'index.ts': 8,
  node: 8,
  cli: 9,
}

/**
 * Layers within the folders that have subfolders, lowest first; those in one list are neighbours. A file
 * imports from its own layer or from a lower one.
 */
const LAYERS: Readonly<Record<string, ReadonlyArray<string | readonly string[]>>> = {
  spin: [
    'manifest',
    'files',
    'lock',
    'artifact',
    'compose',
    'source',
    'bindle',
    'app-types.ts',
    'index.ts',
  ],
  trust: [
    'wire',
    'keys',
    'x509',
    'root',
    ['log', 'time'],
    'policy',
    'bundle',
    'cosign',
    'services',
    'keyless',
    ['policy-verifier.ts', 'policy-types.ts'],
    'verifier.ts',
  ],
  serve: [
    'storage',
    'http',
    'registry',
    'registry/gc',
    ['bindle', 'relay', 'token-service.ts'],
    'index.ts',
  ],
  run: [
    'slots.ts',
    'budget.ts',
    'component/binary',
    'component/abi',
    'component/async',
    'component/typed-module',
    'component',
    'app',
    'host/wasi',
    'host/wasi3',
    'host/spin',
    'host',
    'http',
    'executors',
    'handler',
    ['app-handler.ts', 'static-responder.ts'],
    ['web-worker', 'worker-loader'],
    'index.ts',
  ],
  node: [
    'files',
    'listen',
    ['credentials', 'fetch', 'storage'],
    'state',
    ['app-thread.ts', 'app-worker.ts', 'index.ts'],
  ],
  cli: [
    'terminal',
    'registry',
    'sign',
    'bindle',
    'app',
    'serve',
    'up',
    'commands/registry',
    'commands/bindle',
    'commands',
    'program.ts',
    'run-process.ts',
    ['main.ts', 'bindle-server.ts'],
  ],
}

/** The files that import a package; `src/node` and `src/cli` may import any. */
const IMPORTERS: Readonly<Record<string, RegExp>> = {
  '@noble/ciphers': /^trust\/keys\/cosign-key\.ts$/,
  '@noble/curves': /^trust\/keys\/verify-digest\.ts$/,
  '@noble/ed25519': /^bytes\/ed25519\.ts$/,
  '@noble/hashes':
    /^(?:bytes\/(?:digest|streaming-hasher)|trust\/keys\/(?:cosign-key|verify-digest))\.ts$/,
  aws4fetch: /^serve\/storage\/s3\.ts$/,
  fflate: /^bytes\/(?:gzip|zip)\.ts$/,
  fzstd: /^bytes\/zstd\.ts$/,
  mrmime: /^spin\/bindle\/to-bindle\.ts$/,
  'smol-toml': /^bytes\/toml\.ts$/,
}

/** The bounded reader, and the version of this package. */
const UNBOUNDED_JSON: ReadonlySet<string> = new Set(['bytes/json.ts', 'cli/program.ts'])

/** Globals of Node. The compiler finds the names; this also finds them behind `globalThis`. */
const NODE_NAMES = new Set([
  'Buffer',
  'process',
  '__dirname',
  '__filename',
  'require',
  'setImmediate',
])

const EXPORTED =
  /^export (?:async |abstract )?(?:const|function\*?|class|interface|type|enum) ([A-Za-z_$][\w$]*)/gm

const MOST_LINES = 400

const src = fileURLToPath(new URL('../src/', import.meta.url))

interface SourceFile {
  /** From `src`, `/`-separated. */
  readonly path: string
  readonly lines: number
  readonly tree: ts.SourceFile
  readonly imports: readonly string[]
}

const files: readonly SourceFile[] = findFiles()

function findFiles(): SourceFile[] {
  const paths = ts.sys
    .readDirectory(src, ['.ts'])
    .map((path) => path.slice(src.length).split(sep).join('/'))
  return paths.map((path) => {
    const text = readFileSync(join(src, path), 'utf8')
    return {
      path,
      lines: text.trimEnd().split('\n').length,
      tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true),
      imports: ts.preProcessFile(text, true, true).importedFiles.map((file) => file.fileName),
    }
  })
}

const folderOf = (path: string): string => path.split('/', 1)[0] ?? path
/** The folders that run in Node only. */
const isOfNode = (path: string): boolean => ['node', 'cli'].includes(folderOf(path))
/** The longest entry of the folder's layers that contains a file, and its height. */
function layerOf(path: string): { readonly name: string; readonly height: number } | undefined {
  const rest = path.slice(folderOf(path).length + 1)
  const found = (LAYERS[folderOf(path)] ?? [])
    .flatMap((layer, height) => [layer].flat().map((name) => ({ name, height })))
    .filter(({ name }) => rest === name || rest.startsWith(`${name}/`))
  return found.toSorted((a, b) => b.name.length - a.name.length)[0]
}
const packageOf = (specifier: string): string =>
  specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
const isRelative = (specifier: string): boolean => specifier.startsWith('.')
const targetOf = (path: string, specifier: string): string =>
  normalize(join(dirname(path), specifier))
    .split(sep)
    .join('/')

/** Every import of every file that a rule objects to, as `from → what`. */
function importsThat(isWrong: (file: SourceFile, specifier: string) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports
      .filter((specifier) => isWrong(file, specifier))
      .map((specifier) => `${file.path} → ${specifier}`),
  )
}

/** Every node of every file that a rule objects to, as `path:line text`. */
function nodesThat(isWrong: (node: ts.Node, file: SourceFile) => boolean): string[] {
  const found: string[] = []
  for (const file of files) {
    const visit = (node: ts.Node): void => {
      if (isWrong(node, file)) {
        const { line } = file.tree.getLineAndCharacterOfPosition(node.getStart(file.tree))
        found.push(`${file.path}:${line + 1} ${node.getText(file.tree).slice(0, 60)}`)
      }
      ts.forEachChild(node, visit)
    }
    visit(file.tree)
  }
  return found
}

/** Files that import each other in a cycle: each list is one cycle. */
function importCycles(): string[][] {
  const imports = new Map(
    files.map((file) => [
      file.path,
      file.imports.filter(isRelative).map((specifier) => targetOf(file.path, specifier)),
    ]),
  )
  // Tarjan's algorithm for strongly connected components.
  const indexes = new Map<string, number>()
  const lowest = new Map<string, number>()
  const stack: string[] = []
  const cycles: string[][] = []
  const visit = (path: string): void => {
    indexes.set(path, indexes.size)
    lowest.set(path, indexes.size - 1)
    stack.push(path)
    for (const target of imports.get(path) ?? []) {
      if (!indexes.has(target)) visit(target)
      if (stack.includes(target))
        lowest.set(path, Math.min(lowest.get(path) ?? 0, lowest.get(target) ?? 0))
    }
    if (lowest.get(path) !== indexes.get(path)) return
    const cycle = stack.splice(stack.indexOf(path))
    if (cycle.length > 1) cycles.push(cycle.toSorted())
  }
  for (const { path } of files) if (!indexes.has(path)) visit(path)
  return cycles
}

describe('the layers', () => {
  it('have every folder', () => {
    const folders = new Set(files.map((file) => folderOf(file.path)))
    expect([...folders].filter((folder) => LAYER_OF[folder] === undefined)).toEqual([])
  })

  it('allow no import from a higher layer or a neighbour', () => {
    const wrong = importsThat((file, specifier) => {
      if (!isRelative(specifier)) return false
      const from = folderOf(file.path)
      const to = folderOf(targetOf(file.path, specifier))
      return from !== to && !((LAYER_OF[to] ?? Infinity) < (LAYER_OF[from] ?? -1))
    })
    expect(wrong).toEqual([])
  })

  it('have every file of a folder with subfolders', () => {
    const folders = new Set(
      files.filter(({ path }) => path.split('/').length > 2).map(({ path }) => folderOf(path)),
    )
    expect([...folders].toSorted()).toEqual(Object.keys(LAYERS).toSorted())
    expect(
      files
        .filter(({ path }) => LAYERS[folderOf(path)] !== undefined && layerOf(path) === undefined)
        .map(({ path }) => path),
    ).toEqual([])
  })

  it('allow no import from a higher layer of the same folder, or from a neighbour there', () => {
    const wrong = importsThat((file, specifier) => {
      const to = targetOf(file.path, specifier)
      if (!isRelative(specifier) || folderOf(file.path) !== folderOf(to)) return false
      const [from, target] = [layerOf(file.path), layerOf(to)]
      if (from === undefined || target === undefined || from.name === target.name) return false
      return target.height >= from.height
    })
    expect(wrong).toEqual([])
  })

  it('allow no cycle of imports, including those of types', () => {
    expect(importCycles()).toEqual([])
  })

  it('import each package in its own files only', () => {
    const wrong = importsThat((file, specifier) => {
      if (isRelative(specifier) || specifier.startsWith('node:') || isOfNode(file.path))
        return false
      return !IMPORTERS[packageOf(specifier)]?.test(file.path)
    })
    expect(wrong).toEqual([])
  })

  it('import every dependency of package.json, and no other package', () => {
    const manifest = JSON.parse(readFileSync(join(src, '../package.json'), 'utf8')) as {
      dependencies: Record<string, string>
      peerDependencies: Record<string, string>
    }
    const peers = Object.keys(manifest.peerDependencies)
    const imported = new Set(
      files
        .flatMap((file) => file.imports)
        .filter((specifier) => !isRelative(specifier) && !specifier.startsWith('node:'))
        .map(packageOf),
    )
    expect([...imported].filter((name) => !peers.includes(name)).toSorted()).toEqual(
      Object.keys(manifest.dependencies).toSorted(),
    )
  })

  it('import Node in src/node and src/cli only', () => {
    expect(
      importsThat((file, specifier) => specifier.startsWith('node:') && !isOfNode(file.path)),
    ).toEqual([])
  })

  it('read JSON with the bounded reader only', () => {
    const calls = nodesThat((node, file) => {
      if (UNBOUNDED_JSON.has(file.path) || !ts.isCallExpression(node)) return false
      const { expression } = node
      if (!ts.isPropertyAccessExpression(expression)) return false
      const { text } = expression.name
      return (
        (text === 'parse' && expression.expression.getText(file.tree) === 'JSON') ||
        (text === 'json' && node.arguments.length === 0)
      )
    })
    expect(calls).toEqual([])
  })

  it('use globals of Node in src/node and src/cli only', () => {
    const names = nodesThat((node, file) => {
      if (isOfNode(file.path) || !ts.isIdentifier(node) || !NODE_NAMES.has(node.text)) return false
      return isGlobalName(node)
    })
    expect(names).toEqual([])
  })
})

/** A name of its own, or a property of `globalThis`; not somebody else's property of that name. */
function isGlobalName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) {
    return ts.isIdentifier(parent.expression) && parent.expression.text === 'globalThis'
  }
  return !('name' in parent && parent.name === node)
}

describe('files', () => {
  it('are named in kebab-case, after what they hold', () => {
    const wrong = files.filter(
      ({ path }) =>
        !path
          .split('/')
          .every((part) => /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.d)?(?:\.ts)?$/.test(part)) ||
        /(?:^|[/-])(?:utils?|helpers?|common|misc|shared)(?:[-./]|$)/.test(path),
    )
    expect(wrong.map((file) => file.path)).toEqual([])
  })

  it(`have at most ${MOST_LINES} lines, but for types`, () => {
    const wrong = files.filter(
      ({ path, lines }) => lines > MOST_LINES && !path.endsWith('types.ts'),
    )
    expect(wrong.map(({ path, lines }) => `${path}: ${lines}`)).toEqual([])
  })

  it('say .ts where they import each other', () => {
    expect(
      importsThat((_, specifier) => isRelative(specifier) && !/\.(?:ts|json)$/.test(specifier)),
    ).toEqual([])
  })

  it('export only what another file names', () => {
    const users = ['src', 'test', 'mocks', 'examples', 'bench'].flatMap((folder) =>
      ts.sys.readDirectory(
        join(src, '..', folder),
        ['.ts', '.mjs'],
        ['**/node_modules', '**/dist'],
      ),
    )
    const named = new Map<string, number>()
    for (const path of users)
      for (const word of new Set(readFileSync(path, 'utf8').match(/[A-Za-z_$][\w$]*/g)))
        named.set(word, (named.get(word) ?? 0) + 1)
    // What a subpath has is for users, all of it.
    const config = readFileSync(join(src, '../tsup.config.ts'), 'utf8')
    const open = new Set([...config.matchAll(/src\/([\w/-]+\.ts)/g)].map(([, path]) => path))
    for (const { path, tree } of files)
      for (const [, specifier = ''] of tree.text.matchAll(/^export (?:type )?\* from '(.+)'/gm))
        open.add(targetOf(path, specifier))
    const wrong = files.flatMap(({ path, tree }) =>
      open.has(path) || path.endsWith('.d.ts')
        ? []
        : [...tree.text.matchAll(EXPORTED)]
            .filter(([, name = '']) => named.get(name) === 1)
            .map(([, name]) => `${path}: ${name}`),
    )
    expect(wrong).toEqual([])
  })

  it('have no default exports', () => {
    // A declaration says what another's file has.
    const wrong = nodesThat(
      (node, file) =>
        !file.path.endsWith('.d.ts') &&
        (ts.isExportAssignment(node) ||
          (ts.isExportSpecifier(node) && node.name.text === 'default') ||
          (node.kind === ts.SyntaxKind.DefaultKeyword && ts.isModifier(node))),
    )
    expect(wrong).toEqual([])
  })

  it('have no enums or namespaces, and no classes but errors and what stands for one of the platform', () => {
    const wrong = nodesThat(
      (node) =>
        ts.isEnumDeclaration(node) ||
        (ts.isModuleDeclaration(node) &&
          ts.isIdentifier(node.name) &&
          node.name.text !== 'global') ||
        (ts.isClassLike(node) &&
          !/(?:Error|AppInvalid|implements Response)\b/.test(
            node.heritageClauses?.[0]?.getText() ?? '',
          )),
    )
    expect(wrong).toEqual([])
  })
})
