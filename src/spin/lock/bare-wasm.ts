import type { Descriptor } from '../../types.ts'
import type { LockedApp } from './locked-app.ts'

/**
 * The application that `spin up` makes of a bare component or module, as wkg pushes it: one
 * component that answers every HTTP request.
 */
export function lockBareWasm(
  layer: Descriptor,
  annotations: Readonly<Record<string, string>>,
): LockedApp {
  const name = annotations['org.opencontainers.image.title'] ?? 'wasm'
  const component = 'http-trigger1-component'
  return {
    spin_lock_version: 0,
    metadata: { name, trigger: { type: 'http' }, triggers: {} },
    triggers: [
      { id: 'http-trigger1', trigger_type: 'http', trigger_config: { component, route: '/...' } },
    ],
    components: [
      { id: component, source: { content_type: 'application/wasm', digest: layer.digest } },
    ],
  }
}
