import { listen } from 'spindle/node'
import { createRegistryHandler } from 'spindle/serve'

/** The registry that was asked for, or one of our own. */
export async function openPlace(registry) {
  const own = registry === undefined ? await listen(createRegistryHandler()) : undefined
  const url = new URL(own?.url ?? (registry.includes('://') ? registry : `https://${registry}`))
  const path = url.pathname.replace(/\/+$/, '')
  return {
    url,
    own: own !== undefined,
    /** What the names of applications start with. */
    name: `${url.host}${path === '' && own !== undefined ? '/demo' : path}`,
    close: async () => await own?.close(),
  }
}
