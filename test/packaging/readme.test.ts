import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { blocksOf } from '../docs/blocks.ts'
import { sizeOf } from './bundle.mjs'
import { installPackage, manifest, notBuilt, root } from './installed.ts'

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const documents = readdirSync(join(root, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => readFileSync(join(root, 'docs', name), 'utf8'))

/** What the examples take for granted: names that a reader has anyway. */
const SURROUNDINGS = `
declare const manifest: string
declare const wasm: Uint8Array
declare const username: string
declare const password: string
declare const pem: string
declare const secret: Uint8Array
declare const dropZone: HTMLElement
declare const controller: AbortController
declare const files: ReadonlyMap<string, Uint8Array>
declare const request: Request
declare const env: { readonly VALUES: import('spindle/worker-loader').WorkersKeyValueNamespace; readonly LOADER: {
  get(id: string, code: () => Promise<import('spindle/worker-loader').WorkerCode>): { getEntrypoint(): { fetch(request: Request): Promise<Response> } }
} }
declare const ctx: { readonly exports: { AppHost(options: object): { fetch(request: Request): Promise<Response> } } }
/** Of Workers. */
interface Crypto {
  readonly DigestStream: new (
    algorithm: string,
  ) => WritableStream<Uint8Array> & { readonly digest: Promise<ArrayBuffer> }
}
`

describe.skipIf(notBuilt !== undefined)('the README', () => {
  const installed = installPackage(['@types/node', 'undici-types'])

  it('and the documents have examples that compile against what is installed', () => {
    const blocks = [readme, ...documents].flatMap((text) =>
      blocksOf(text).flatMap(({ language, text }) => (language === 'ts' ? [text] : [])),
    )
    expect(blocks.length).toBeGreaterThan(4)
    writeFileSync(join(installed.directory, 'surroundings.d.ts'), SURROUNDINGS)
    const paths = blocks.map((block, index) => {
      const path = join(installed.directory, `example-${index}.ts`)
      writeFileSync(path, block)
      return path
    })
    const program = ts.createProgram([join(installed.directory, 'surroundings.d.ts'), ...paths], {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      lib: [
        'lib.es2023.d.ts',
        'lib.dom.d.ts',
        'lib.dom.iterable.d.ts',
        'lib.dom.asynciterable.d.ts',
      ],
      typeRoots: [join(installed.directory, 'node_modules/@types')],
      types: ['node'],
    })
    const said = ts.getPreEmitDiagnostics(program).map((diagnostic) => {
      const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')
      const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0
      return `${diagnostic.file?.text.split('\n')[line] ?? ''} // ${text}`
    })
    expect(said).toEqual([])
  })

  it('names every subpath in its table, and no size that is too small', async () => {
    const rows = [...readme.matchAll(/^\| .*\| `(spindle\/[a-z0-9-]+)` +\| +(?:(\d+) kB)? *\|$/gm)]
    const named = new Set(rows.map((row) => row[1] ?? ''))
    const subpaths = Object.keys(manifest.exports).map((subpath) => `spindle${subpath.slice(1)}`)
    expect([...named, 'spindle', 'spindle/package.json'].toSorted()).toEqual(subpaths.toSorted())
    const sizes = new Map(rows.flatMap(([, name, kB]) => (name && kB ? [[name, Number(kB)]] : [])))
    const grown = await Promise.all(
      [...sizes].map(async ([name, kB]) => {
        const { gzipped } = await sizeOf(`export * from '${name}'`)
        return gzipped > kB * 1000 ? [`${name}: ${gzipped / 1000} kB`] : []
      }),
    )
    expect(grown.flat()).toEqual([])
  })
})

describe('the README', () => {
  it('explains every error code, and no other', () => {
    const source = readFileSync(join(root, 'src/errors.ts'), 'utf8')
    const codes = new Set(
      [...source.matchAll(/^ {2}\| '(ERR_[A-Z_]+)'/gm)].map((match) => match[1]),
    )
    const explained = new Set(
      [...readme.matchAll(/^\| `(ERR_[A-Z_]+)`/gm)].map((match) => match[1]),
    )
    expect(explained).toEqual(codes)
  })

  it('links to files that there are', () => {
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)\)/g)].map(
      (match) => match[1] ?? '',
    )
    expect(
      links.filter(
        (link) => !ts.sys.fileExists(join(root, link)) && !ts.sys.directoryExists(join(root, link)),
      ),
    ).toEqual([])
  })
})
