/** An application of one component, as `pull` gives it. */
export function benchApp(wasm) {
  const digest = `sha256:${'0'.repeat(64)}`
  return {
    descriptor: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 2 },
    locked: {
      spin_lock_version: 0,
      metadata: { name: 'bench' },
      triggers: [
        { id: 't', trigger_type: 'http', trigger_config: { route: '/...', component: 'guest' } },
      ],
      components: [
        {
          id: 'guest',
          source: { content_type: 'application/wasm', digest },
          config: { greeting: 'Hello' },
        },
      ],
    },
    component: async () => wasm,
    files: async () => new Map(),
  }
}

/** What jco's shims have not: linked, as far as it is asked for. */
export const spinForJco = {
  'fermyon:spin/variables': { get: () => 'Hello' },
  'fermyon:spin/key-value': { Store: class Store {} },
  'fermyon:spin/sqlite': { Connection: class Connection {} },
}
