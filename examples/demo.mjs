// `npm run demo`: examples/hello goes where applications go and comes back, and every byte is compared.
//
// Without options it starts a registry of its own on a free port of this machine. `--registry URL`
// does it against yours, as `--registry https://ghcr.io/ann`, with the logins of this machine.
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { buildLibrary, root } from './built.mjs'

/** One file of `demo/` each, in this order: a later one may rely on what an earlier one pushed. */
const chapters = ['registry', 'trust', 'bindle', 'run']

/** @returns {{ registry?: string }} */
function readOptions() {
  try {
    return parseArgs({ options: { registry: { type: 'string' } } }).values
  } catch (error) {
    console.error(`${error.message}\nusage: npm run demo -- [--registry https://HOST/NAMESPACE]`)
    process.exit(2)
  }
}

const options = readOptions()
buildLibrary()
// These import the built library, which is not there before.
const { openPlace } = await import('./demo/place.mjs')
const { createContext } = await import('./demo/context.mjs')

let place
try {
  place = await openPlace(options.registry)
  const context = await createContext(place, join(root, 'examples', 'hello'))
  for (const chapter of chapters) {
    const { tell } = await import(`./demo/${chapter}.mjs`)
    await tell(context)
  }
} catch (error) {
  console.error(`failed: ${error.message}`)
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause)
    console.error(`  caused by: ${cause.message}`)
  process.exitCode = 1
} finally {
  await place?.close()
}
