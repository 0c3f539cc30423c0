import type { RunApp, RunComponent } from './run-app.ts'
import { bytesOf } from './wasi/file-system.ts'

/** What running needs to know of an application, but its bytes: plain data, that JSON can hold. */
export interface AppOutline extends Omit<RunApp, 'variables' | 'components'> {
  readonly variables: ReadonlyArray<readonly [string, { readonly default?: string | undefined }]>
  readonly components: ReadonlyArray<Omit<RunComponent, 'wasm' | 'files'>>
}

/** An application with all its bytes in hand, so that it can go to another thread or Worker. */
export interface AppSnapshot {
  readonly outline: AppOutline
  /** By the component's id. */
  readonly wasm: ReadonlyMap<string, Uint8Array>
  readonly files: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>
}

/** Reads all that the application consists of, but components that no trigger starts. */
export async function snapshotOf(app: RunApp): Promise<AppSnapshot> {
  const { variables, components, ...rest } = app
  const started = new Set(app.triggers.map(({ config }) => config['component']))
  const wasm = new Map<string, Uint8Array>()
  const files = new Map<string, ReadonlyMap<string, Uint8Array>>()
  const kept = [...components.values()].filter(({ id }) => started.has(id))
  for (const component of kept) {
    wasm.set(component.id, await component.wasm())
    const bytes = new Map<string, Uint8Array>()
    for (const [path, content] of await component.files()) bytes.set(path, await bytesOf(content))
    files.set(component.id, bytes)
  }
  return {
    outline: {
      ...rest,
      variables: [...variables],
      components: kept.map(({ wasm: _, files: __, ...component }) => component),
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
        },
      ]),
    ),
  }
}
