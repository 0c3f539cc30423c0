import { forEachBounded } from '../../bytes/concurrency.ts'
import { quotePath } from '../../bytes/path.ts'
import { AppInvalid } from '../../errors.ts'
import type { Content } from '../../types.ts'
import type { App, AppDependency } from './app.ts'
import { findWasmProblem } from './wasm-format.ts'

/** Files looked at side by side. */
const CHECKS = 4

/**
 * Rejects with `AppInvalid` when the source of a component, or a dependency, is not Wasm: a Git LFS
 * pointer, a file that was cut off, a web page. As Spin does before it pushes; its loader doesn't.
 */
export async function assertWasm(
  { components, triggers, manifestPath }: App,
  signal?: AbortSignal,
): Promise<void> {
  const wanted = [
    ...components.flatMap(({ id, table, wasmContent, dependencies }) => {
      const who = `component ${quotePath(id)}`
      return [
        { who: `${who}: ${describeSource(table.source)}`, wasm: wasmContent },
        ...[...dependencies].map(([name, dependency]) => namedIn(who, name, dependency)),
      ]
    }),
    ...triggers.flatMap(({ id, dependencies }) =>
      [...dependencies].flatMap(([role, list]) =>
        list.map((dependency) => namedIn(`trigger ${quotePath(id)}`, role, dependency)),
      ),
    ),
  ]
  const problems = new Map<Uint8Array | Content, string | undefined>()
  await forEachBounded(
    new Set(wanted.map(({ wasm }) => wasm)),
    CHECKS,
    async (wasm, stop) => void problems.set(wasm, await findWasmProblem(wasm, stop)),
    signal,
  )
  const findings = wanted.flatMap(({ who, wasm }) => {
    const problem = problems.get(wasm)
    return problem === undefined
      ? []
      : [{ code: 'not-wasm', message: `${who} ${problem}`, path: manifestPath }]
  })
  if (findings.length > 0) throw new AppInvalid(findings)
}

interface Wanted {
  readonly who: string
  readonly wasm: Uint8Array | Content
}

function namedIn(who: string, name: string, { wasm }: AppDependency): Wanted {
  return { who: `${who}: its dependency ${quotePath(name)}`, wasm }
}

function describeSource(source: unknown): string {
  return typeof source === 'string' ? `its source ${quotePath(source)}` : 'its source'
}
