import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import {
  installPackage,
  NEEDS_MSW,
  notBuilt,
  portableSubpaths,
  specifierOf,
  subpaths,
} from './installed.ts'

/**
 * All that the declarations ask of their surroundings. Each name here is one that a browser, a
 * Worker and Node all declare; one more name is one more way to break somebody's compiler.
 */
const AMBIENT = ['AbortSignal', 'ReadableStream', 'Request', 'Response', 'URL', 'WritableStream']

const STRICT: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
  target: ts.ScriptTarget.ES2022,
}
const BUNDLER = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }
const NODE_NEXT = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
}

describe.skipIf(notBuilt !== undefined)('the declarations', () => {
  const installed = installPackage([
    '@types/node',
    'undici-types',
    '@cloudflare/workers-types',
    'msw',
  ])

  /** What the compiler has to say to a project that imports these subpaths. */
  function compile(
    imported: readonly string[],
    options: ts.CompilerOptions,
  ): readonly ts.Diagnostic[] {
    const consumer = join(installed.directory, 'consumer.mts')
    const lines = imported.map(
      (subpath, index) => `import * as m${index} from '${specifierOf(subpath)}'`,
    )
    const uses = imported.map((_, index) => `void m${index}`)
    writeFileSync(consumer, [...lines, ...uses, ''].join('\n'))
    const program = ts.createProgram([consumer], {
      ...STRICT,
      typeRoots: [join(installed.directory, 'node_modules/@types')],
      ...options,
    })
    return ts.getPreEmitDiagnostics(program)
  }

  const format = (diagnostics: readonly ts.Diagnostic[]): string[] =>
    diagnostics.map((diagnostic) => {
      const { file, start = 0 } = diagnostic
      const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1
      const path = file?.fileName.slice(installed.directory.length + 1) ?? ''
      return `${path}:${line} ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`
    })

  it('ask for these names beside those of the language, and no others', () => {
    const diagnostics = compile(portableSubpaths, {
      ...BUNDLER,
      lib: ['lib.es2023.d.ts'],
      types: [],
    })
    const missing = new Set<string>()
    const other: ts.Diagnostic[] = []
    for (const diagnostic of diagnostics) {
      const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')
      const name = /^Cannot find (?:name|namespace) '(\w+)'/.exec(text)?.[1]
      if (name === undefined) other.push(diagnostic)
      else missing.add(name)
    }
    expect(format(other)).toEqual([])
    expect([...missing].toSorted()).toEqual(AMBIENT)
  })

  it('read with the DOM only', () => {
    const lib = [
      'lib.es2023.d.ts',
      'lib.dom.d.ts',
      'lib.dom.iterable.d.ts',
      'lib.dom.asynciterable.d.ts',
    ]
    expect(format(compile(portableSubpaths, { ...BUNDLER, lib, types: [] }))).toEqual([])
  })

  it('read with a Web Worker only', () => {
    const lib = ['lib.es2023.d.ts', 'lib.webworker.d.ts', 'lib.webworker.asynciterable.d.ts']
    expect(format(compile(portableSubpaths, { ...BUNDLER, lib, types: [] }))).toEqual([])
  })

  it('read with Node types only', () => {
    const imported = subpaths.filter((subpath) => !NEEDS_MSW.includes(subpath))
    const options = { ...NODE_NEXT, lib: ['lib.es2023.d.ts'], types: ['node'] }
    expect(format(compile(imported, options))).toEqual([])
  })

  it('read with Cloudflare Workers types only', () => {
    const types = [join(installed.directory, 'node_modules/@cloudflare/workers-types')]
    expect(
      format(compile(portableSubpaths, { ...BUNDLER, lib: ['lib.es2023.d.ts'], types })),
    ).toEqual([])
  })

  it('name no source file', () => {
    const program = ts.createProgram(
      [...installed.files]
        .filter((path) => path.endsWith('.d.ts'))
        .map((path) => join(installed.directory, 'node_modules/spindle', path)),
      { noEmit: true, noResolve: true },
    )
    const named = program
      .getSourceFiles()
      .filter((file) => file.fileName.includes('node_modules/spindle/'))
      .flatMap((file) => ts.preProcessFile(file.text).importedFiles.map(({ fileName }) => fileName))
    expect(named.filter((specifier) => specifier.endsWith('.ts'))).toEqual([])
  })
})
