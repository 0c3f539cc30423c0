import { join, sep } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { manifest, notBuilt, root, specifierOf, subpaths } from './installed.ts'

/** What most programs need: a new name here should be one that a user reaches for first. */
const MAIN_ENTRY = `
AnySpindleError App AppInvalid AppSource CopyOptions Credentials Descriptor Digest ErrorCode FetchHandler FetchLike Finding
Keychain LoadAppOptions Location LockedApp Policy PolicyRejected PullOptions PulledApp PushOptions PushResult
Reference RemoteOptions ResponseError SignOptions SignResult SignatureInvalid Signer Source SpindleError Store
TransferEvent VerifiedSignature Verifier VerifyOptions VerifyResult
copy createContentCache createDigestStreamHasher createKeySigner createLayoutStore createMemoryStore
createMirrorFetch createRelayFetch createRepository createTransport createVerifier generateKeyPair isReference
isSpindleError loadApp parseReference pull push readImage resolve sign verify verifyBundle
`
  .trim()
  .split(/\s+/)
/** More would hide what matters: the rest is in the subpaths. */
const MAX_MAIN_ENTRY = 60

/** One subpath against the types of the package that the signatures of its values name. */
interface SubpathTypes {
  readonly specifier: string
  /** All exported names: values and types. */
  readonly exported: readonly string[]
  /** Named types that a signature reaches but the subpath does not export, as `name, from where`. */
  readonly missing: readonly string[]
  /** Exported types that the signature of no exported value reaches. */
  readonly unrelated: readonly string[]
}

describe.skipIf(notBuilt !== undefined)('the types of each subpath', () => {
  // The main entry point is a selection: what it has no room for is in the subpaths.
  const read = notBuilt === undefined ? readSubpathTypes() : []
  const listed = (of: 'missing' | 'unrelated'): string[] =>
    read
      .filter(({ specifier }) => specifier !== manifest.name)
      .flatMap((types) => types[of].map((name) => `${types.specifier}: ${name}`))

  it('are all that its signatures name', () => expect(listed('missing')).toEqual([]))

  it('are no others', () => expect(listed('unrelated')).toEqual([]))

  it('and the values of the main entry point are a short list', () => {
    const main = read.find(({ specifier }) => specifier === manifest.name)
    expect(main?.exported).toEqual(MAIN_ENTRY.toSorted())
    expect(MAIN_ENTRY.length).toBeLessThanOrEqual(MAX_MAIN_ENTRY)
  })
})

/** Reads the built declarations and follows each subpath from its values through all named types. */
function readSubpathTypes(): readonly SubpathTypes[] {
  const declared = subpaths.map((subpath) => {
    const entry = manifest.exports[subpath] as { types: string }
    return [specifierOf(subpath), join(root, entry.types)] as const
  })
  const program = ts.createProgram(
    declared.map(([, path]) => path),
    { noEmit: true, skipLibCheck: true, types: [] },
  )
  const checker = program.getTypeChecker()
  const dist = (join(root, 'dist') + sep).replaceAll(sep, '/')

  const resolve = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol

  /** Named types of the package in the declarations of a symbol. */
  function namedIn(symbol: ts.Symbol): Set<ts.Symbol> {
    const found = new Set<ts.Symbol>()
    const visit = (node: ts.Node): void => {
      // A private member's type is not part of the signature.
      if (ts.isClassElement(node) && ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private)
        return
      if (ts.isIdentifier(node) && isTypeName(node)) {
        const named = checker.getSymbolAtLocation(node)
        const target = named && resolve(named)
        if (target !== undefined && target !== symbol && isOfPackage(target)) found.add(target)
      }
      ts.forEachChild(node, visit)
    }
    for (const declaration of symbol.declarations ?? []) visit(declaration)
    return found
  }

  const isOfPackage = (symbol: ts.Symbol): boolean =>
    (symbol.flags & ts.SymbolFlags.TypeParameter) === 0 &&
    (symbol.declarations ?? []).some((declaration) =>
      declaration.getSourceFile().fileName.startsWith(dist),
    )

  return declared.map(([specifier, path]) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(path)!)!
    const exports = checker.getExportsOfModule(module)
    const exported = new Set(exports.map(resolve))
    const values = [...exported].filter((symbol) => symbol.flags & ts.SymbolFlags.Value)
    const reached = new Map<ts.Symbol, string>()
    const queue = [...values]
    for (let symbol = queue.shift(); symbol !== undefined; symbol = queue.shift())
      for (const named of namedIn(symbol))
        if (!reached.has(named)) {
          reached.set(named, symbol.name)
          queue.push(named)
        }
    return {
      specifier,
      exported: exports.map(({ name }) => name).toSorted(),
      missing: [...reached]
        .filter(([symbol]) => !exported.has(symbol))
        .map(([symbol, from]) => `${symbol.name}, from ${from}`)
        .toSorted(),
      unrelated: [...exported]
        .filter((symbol) => !(symbol.flags & ts.SymbolFlags.Value) && !reached.has(symbol))
        .map(({ name }) => name)
        .toSorted(),
    }
  })
}

/** Whether an identifier stands where a type or the value behind `typeof` is named. */
function isTypeName(node: ts.Identifier): boolean {
  const { parent } = node
  return (
    (ts.isTypeReferenceNode(parent) && parent.typeName === node) ||
    (ts.isExpressionWithTypeArguments(parent) && parent.expression === node) ||
    (ts.isTypeQueryNode(parent) && parent.exprName === node)
  )
}
