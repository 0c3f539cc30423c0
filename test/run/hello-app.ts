import { parseBase64 } from '../../src/bytes/base64.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import type { PulledApp } from '../../src/spin/artifact/pulled-app.ts'

/** The example application around some bytes for its component; needs no files, for every runtime. */
export function helloAround(component: string): PulledApp {
  const digest = `sha256:${'0'.repeat(64)}` as const
  return {
    descriptor: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 2 },
    locked: {
      spin_lock_version: 0,
      metadata: { name: 'hello' },
      variables: { greeting: { default: 'Hello' } },
      triggers: ['/...', '/hello/:name'].map((route, i) => ({
        id: `t${i}`,
        trigger_type: 'http',
        trigger_config: { route, component: 'hello' },
      })),
      components: [
        {
          id: 'hello',
          source: { content_type: 'application/wasm', digest },
          config: { greeting: '{{ greeting }}' },
        },
      ],
    },
    component: async () => parseBase64(component) ?? new Uint8Array(),
    files: async () => new Map([['static/index.html', encodeUtf8('<p>static</p>')]]),
  } as unknown as PulledApp
}
