import { fileURLToPath } from 'node:url'

/** The example application that commands push. */
export const hello = fileURLToPath(new URL('../../../examples/hello', import.meta.url))
