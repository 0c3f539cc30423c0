import type { RunDependency, RunApp, RunComponent } from './run-app.ts'
import { readBytes } from '../../bytes/read-bytes.ts'

/** What running needs to know of an application, but its bytes: plain data, that JSON can hold. */
export interface AppOutline extends Omit<RunApp, 'variables' | 'components'> {
  readonly variables: ReadonlyArray<readonly [string, { readonly default?: string | undefined }]>
  readonly components: ReadonlyArray<
    Omit<RunComponent, 'wasm' | 'files' | 'dependencies'> & {
      readonly dependencies: ReadonlyArray<Omit<RunDependency, 'wasm'>>
    }
  >
}

/** An application with all contents buffered, so that it can be posted to another thread or Worker. */
export interface AppSnapshot {
  readonly outline: AppOutline
  /**
   * By the component's id, and of what it depends on by both names. Whoever has compiled them may
   * clear it.
   */
  readonly wasm: Map<string, Uint8Array>
  readonly files: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>
}

function keyOf(id: string, dependency: string): string {
  return JSON.stringify([id, dependency])
}

/** Reads all contents of the application, except components without a trigger. */
export async function snapshotOf(app: RunApp): Promise<AppSnapshot> {
  const { variables, components, ...rest } = app
  const started = new Set(app.triggers.map(({ config }) => config['component']))
  const wasm = new Map<string, Uint8Array>()
  const files = new Map<string, ReadonlyMap<string, Uint8Array>>()
  const kept = [...components.values()].filter(({ id }) => started.has(id))
  for (const component of kept) {
    wasm.set(component.id, await component.wasm())
    for (const dependency of component.dependencies)
      wasm.set(keyOf(component.id, dependency.name), await dependency.wasm())
    const bytes = new Map<string, Uint8Array>()
    for (const [path, content] of await component.files()) bytes.set(path, await readBytes(content))
    files.set(component.id, bytes)
  }
  return {
    outline: {
      ...rest,
      variables: [...variables],
      components: kept.map(({ wasm: _, files: __, dependencies, ...component }) => ({
        ...component,
        dependencies: dependencies.map(({ wasm: ___, ...dependency }) => dependency),
      })),
    },
    wasm,
    files,
  }
}

export function restoreApp({ outline, wasm, files }: AppSnapshot): RunApp {
  return {
    ...outline,
    variables: new Map(outline.variables),
    components: new Map(
      outline.components.map((component) => [
        component.id,
        {
          ...component,
          wasm: () => Promise.resolve(wasm.get(component.id) as Uint8Array),
          files: () => Promise.resolve(files.get(component.id) ?? new Map()),
          dependencies: component.dependencies.map((dependency) => ({
            ...dependency,
            wasm: () =>
              Promise.resolve(wasm.get(keyOf(component.id, dependency.name)) as Uint8Array),
          })),
        },
      ]),
    ),
  }
}
