import type { Json } from '../../src/bytes/json.ts'
import type { LockedComponent } from '../../src/spin/lock/locked-app.ts'
import type { PulledApp } from '../../src/spin/artifact/pulled-app.ts'
import type { FileTree } from '../../src/types.ts'

export interface FixtureComponent extends Partial<Omit<LockedComponent, 'id' | 'source'>> {
  readonly wasm: Uint8Array
  readonly fileTree?: FileTree
  /** Of what it depends on, by the names in `dependencies`. */
  readonly dependencyWasm?: Readonly<Record<string, Uint8Array>>
}

/** An application as `pull` gives it, made of what a test has in hand. */
export function pulledApp(
  components: Readonly<Record<string, FixtureComponent>>,
  triggers: ReadonlyArray<Readonly<Record<string, Json>>>,
  more: Partial<PulledApp['locked']> = {},
): PulledApp {
  const digest = `sha256:${'0'.repeat(64)}` as const
  return {
    descriptor: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 2 },
    locked: {
      spin_lock_version: 0,
      metadata: { name: 'test', version: '1.2.3' },
      triggers: triggers.map((config, i) => ({
        id: `t${i}`,
        trigger_type: 'http',
        trigger_config: config,
      })),
      components: Object.entries(components).map(
        ([id, { wasm: _, fileTree: __, dependencyWasm: ___, ...rest }]) => ({
          id,
          source: { content_type: 'application/wasm', digest },
          ...rest,
        }),
      ),
      ...more,
    },
    component: async (id: string) => components[id]?.wasm ?? new Uint8Array(),
    dependency: async (id: string, name: string) =>
      components[id]?.dependencyWasm?.[name] ?? new Uint8Array(),
    files: async (id: string) => components[id]?.fileTree ?? new Map(),
  } as unknown as PulledApp
}
