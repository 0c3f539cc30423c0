import { SpindleError } from '../../errors.ts'
import { digestOf } from '../../bytes/digest.ts'
import type { Digest } from '../../types.ts'
import { missingFeature } from './binary/engine-features.ts'
import { meterModule } from './binary/meter-module.ts'
import type { ComponentDef, CoreModule } from './binary/model.ts'
import { parsePlaceholder } from './binary/placeholder.ts'
import { readModule } from './binary/read-module.ts'

/** A component whose core modules the engine has compiled. Instances are cheap from here. */
export interface CompiledComponent {
  readonly component: ComponentDef
  readonly modules: ReadonlyMap<CoreModule, WebAssembly.Module>
  /** What fills imports of it instead of the host. */
  readonly dependencies?: readonly ComponentDependency[]
}

/** Another component whose exports are imports of this one: both share an instance tree. */
export interface ComponentDependency {
  /** By which the host tells its imports from those of the component itself. */
  readonly name: string
  readonly compiled: CompiledComponent
  /** The export by the import that it fills. */
  readonly filled: ReadonlyMap<string, string>
}

/**
 * Gives the compiled form of a core module, by its bytes or its digest. Of a skeleton only the
 * digest says which. `undefined` when it has none.
 */
export type Compile = (
  bytes: Uint8Array,
  digest: Digest,
) => object | undefined | Promise<object | undefined>

export interface CompileOptions {
  /** Where the platform forbids compiling at run time. */
  readonly compile?: Compile | undefined
  /** Bytes that a request may take, which no memory may exceed. Default: what the module says. */
  readonly maxMemory?: number | undefined
}

const COMPILED = new Uint8Array(0)

/**
 * Compiles all core modules of a component. Their bytes are let go: the engine has its own, and one
 * part of the component's file would keep all of it in memory.
 */
export async function compileComponent(
  component: ComponentDef,
  options: CompileOptions = {},
): Promise<CompiledComponent> {
  const modules = new Map<CoreModule, WebAssembly.Module>()
  for (const module of coreModules(component)) {
    modules.set(module, await compileCore(module.bytes, options))
    module.bytes = COMPILED
  }
  return { component, modules }
}

/** In file order, those of nested components too. */
export function coreModules(component: ComponentDef): CoreModule[] {
  return component.definitions.flatMap((definition) => {
    if (definition.kind === 'core module') return [definition]
    if (definition.kind === 'typed module') return [definition.module]
    return definition.kind === 'component' ? coreModules(definition.component) : []
  })
}

/**
 * Rejects with `ERR_CONTENT_INVALID` for bytes that are no valid module, and with `ERR_UNSUPPORTED` for
 * a module that other engines compile: the message names them.
 */
export async function compileCore(
  bytes: Uint8Array,
  { compile, maxMemory }: CompileOptions = {},
): Promise<WebAssembly.Module> {
  const elsewhere = parsePlaceholder(bytes)
  if (compile !== undefined) {
    const digest = elsewhere ?? (await digestOf(bytes))
    const module = await compile(bytes, digest)
    // By its tag: a module may come from another realm.
    if (Object.prototype.toString.call(module) === '[object WebAssembly.Module]')
      return module as WebAssembly.Module
    throw new SpindleError('ERR_NOT_FOUND', `the option "compile" gave no module for ${digest}`)
  }
  if (elsewhere !== undefined) {
    throw new SpindleError(
      'ERR_FILE_MISSING',
      `the core module ${elsewhere} was split off: give it by the option "compile"`,
    )
  }
  const metered = meterModule(bytes, maxMemory)
  try {
    return await WebAssembly.compile(metered as Uint8Array<ArrayBuffer>)
  } catch (error) {
    const { message } = error as Error
    if (
      error instanceof WebAssembly.CompileError &&
      !/disallowed|Content Security Policy/i.test(message)
    ) {
      const missing = missingFeature(bytes, readModule(bytes, maxMemory ?? Infinity))
      if (missing !== undefined) throw missing
      throw new SpindleError('ERR_CONTENT_INVALID', `a core module is invalid: ${message}`, {
        cause: error,
      })
    }
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      'this platform forbids compiling WebAssembly from bytes: hand over modules bound at build time (option "compile"), ' +
        "or allow 'wasm-unsafe-eval' in the page's Content-Security-Policy",
      { cause: error },
    )
  }
}
