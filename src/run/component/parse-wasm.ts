import type { ComponentDef } from './binary/model.ts'
import { parseComponent, wasmKind } from './binary/parse.ts'
import { parseTypedModule } from './typed-module/parse-typed-module.ts'

/**
 * Reads a component, or a core module that says how it is one; `undefined` for what is neither.
 * Rejects as `parseComponent` and `parseTypedModule` do.
 */
export function parseWasm(wasm: Uint8Array): ComponentDef | undefined {
  switch (wasmKind(wasm)) {
    case 'component':
      return parseComponent(wasm)
    case 'module':
      return parseTypedModule(wasm)
    default:
      return undefined
  }
}
