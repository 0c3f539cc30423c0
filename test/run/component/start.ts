import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { compileComponent } from '../../../src/run/component/compile.ts'
import {
  instantiateComponent,
  type ComponentInstance,
} from '../../../src/run/component/instantiate.ts'
import type { HostInterface } from '../../../src/run/component/abi/items.ts'
import { parseWasm } from '../../../src/run/component/parse-wasm.ts'

/** An instance of a component, by its text; whatever it imports has the same functions. */
export async function start(
  wat: string,
  functions: HostInterface['functions'] = {},
  jspi = false,
): Promise<ComponentInstance> {
  return startBinary(await parse(wat), functions, jspi)
}

/** The same for a component that is built, or a core module that carries its world. */
export async function startBinary(
  component: Uint8Array,
  functions: HostInterface['functions'] = {},
  jspi = false,
): Promise<ComponentInstance> {
  const parsed = parseWasm(component)
  if (parsed === undefined) throw new Error('no component')
  const compiled = await compileComponent(parsed)
  return instantiateComponent(compiled, { jspi, imports: () => ({ functions }) })
}
