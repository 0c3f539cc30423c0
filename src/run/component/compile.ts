import { SpindleError } from '../../errors.ts'
import { digestOf } from '../../bytes/digest.ts'
import type { Digest } from '../../types.ts'
import type { ComponentDef, CoreModule } from './model.ts'

/** A component whose core modules the engine has compiled. Instances are cheap from here. */
export interface CompiledComponent {
  readonly component: ComponentDef
  readonly modules: ReadonlyMap<CoreModule, WebAssembly.Module>
}

/** Gives the compiled form of a core module, by its bytes or its digest. */
export type Compile = (bytes: Uint8Array, digest: Digest) => Promise<object>

/** Compiles all core modules of a component; by `compile` where the platform forbids it at run time. */
export async function compileComponent(component: ComponentDef, compile?: Compile): Promise<CompiledComponent> {
  const modules = new Map<CoreModule, WebAssembly.Module>()
  for (const module of coreModules(component)) modules.set(module, await compileCore(module.bytes, compile))
  return { component, modules }
}

/** In file order, those of nested components too. */
export function coreModules(component: ComponentDef): CoreModule[] {
  return component.definitions.flatMap((definition) => {
    if (definition.kind === 'core module') return [definition]
    return definition.kind === 'component' ? coreModules(definition.component) : []
  })
}

/** Rejects with `ERR_CONTENT_INVALID` for bytes that are no valid module. */
export async function compileCore(bytes: Uint8Array, compile?: Compile): Promise<WebAssembly.Module> {
  if (compile !== undefined) return (await compile(bytes, await digestOf(bytes))) as WebAssembly.Module
  try {
    return await WebAssembly.compile(bytes as Uint8Array<ArrayBuffer>)
  } catch (error) {
    const { message } = error as Error
    if (error instanceof WebAssembly.CompileError && !/disallowed|Content Security Policy/i.test(message)) {
      throw new SpindleError('ERR_CONTENT_INVALID', `a core module is invalid: ${message}`, { cause: error })
    }
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      'this platform forbids compiling WebAssembly from bytes: hand over modules bound at build time (option "compile"), '
        + "or allow 'wasm-unsafe-eval' in the page's Content-Security-Policy",
      { cause: error },
    )
  }
}
