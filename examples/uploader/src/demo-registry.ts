import { createRegistryHandler } from 'spindle/serve'

/** A whole registry in this page's memory. It answers what is asked by `fetch`, without a network. */
export const demoRegistry: ReturnType<typeof createRegistryHandler> = createRegistryHandler()
