import { leb } from '../../bytes/leb.ts'
import { concat } from '../../bytes/stream.ts'
import { digestOf } from '../../bytes/digest.ts'
import type { Digest } from '../../types.ts'
import { coreModules } from '../component/compile.ts'
import {
  eachSection,
  isInterfaceSection,
  readCoreInterface,
} from '../component/binary/core-interface.ts'
import { meterModule } from '../component/binary/meter-module.ts'
import { formatPlaceholder } from '../component/binary/placeholder.ts'
import { parseComponent, wasmKind } from '../component/binary/parse.ts'
import { createReader } from '../component/binary/reader.ts'

/**
 * A component taken apart for platforms that compile WebAssembly only when they deploy: its core
 * modules by digest, and what is left, in which each is named by its digest.
 */
export interface SplitComponent {
  /** Runs as the component does, where the option `compile` gives the modules. */
  readonly skeleton: Uint8Array
  /** By the digests of what they were: each asks now before its memory grows, so that `maxMemory` holds. */
  readonly modules: ReadonlyMap<Digest, Uint8Array>
}

const CORE_MODULE = 1
const COMPONENT = 4

/**
 * Splits a component into its skeleton and its core modules.
 *
 * Exported from `spindle/run`.
 *
 * @example Bind the modules at build time, run the skeleton in a Worker
 * const { skeleton, modules } = await splitComponent(bytes)
 * // deploy each of `modules` as a .wasm module, then, in the Worker:
 * await createAppHandler(app, { compile: async (_, digest) => bound[digest] })
 *
 * A core module is its own only module; its skeleton keeps what says how it is linked. Rejects as parsing does, with
 * `ERR_CONTENT_INVALID` or `ERR_UNSUPPORTED`, and with `ERR_LIMIT_EXCEEDED` for a module whose memory
 * begins with more than `maxMemory` bytes.
 */
export async function splitComponent(
  bytes: Uint8Array,
  { maxMemory }: { readonly maxMemory?: number } = {},
): Promise<SplitComponent> {
  const whole =
    wasmKind(bytes) === 'module'
      ? [bytes]
      : coreModules(parseComponent(bytes)).map((module) => module.bytes)
  const digests = new Map<Uint8Array, Digest>()
  const modules = new Map<Digest, Uint8Array>()
  for (const module of whole) {
    const digest = await digestOf(module)
    digests.set(module, digest)
    modules.set(digest, meterModule(module, maxMemory))
  }
  // In the order of the file, as they were hashed.
  const order = [...digests.values()][Symbol.iterator]()
  const next = (): Uint8Array => formatPlaceholder(order.next().value as Digest)
  const skeleton =
    wasmKind(bytes) === 'module' ? concat([next(), ...interfaceOf(bytes)]) : emptied(bytes, next)
  return { skeleton, modules }
}

/** The sections by which a core module is linked, where it carries its worlds. */
function interfaceOf(module: Uint8Array): Uint8Array[] {
  if (readCoreInterface(module).worlds.length === 0) return []
  const kept: Uint8Array[] = []
  eachSection(module, (id, start, content) => {
    if (isInterfaceSection(id, content)) kept.push(module.subarray(start, content.end))
  })
  return kept
}

/** The component with all core modules replaced. Its form was checked before. */
function emptied(component: Uint8Array, next: () => Uint8Array): Uint8Array {
  const r = createReader(component)
  const parts: Uint8Array[] = [r.bytes(8)]
  while (!r.done) {
    const start = r.offset
    const id = r.byte()
    const body = r.bytes(r.u32())
    if (id !== CORE_MODULE && id !== COMPONENT) {
      parts.push(component.subarray(start, r.offset))
      continue
    }
    const inner = id === CORE_MODULE ? next() : emptied(body, next)
    parts.push(Uint8Array.of(id, ...leb(inner.length)), inner)
  }
  return concat(parts)
}
