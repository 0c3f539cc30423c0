// The registry of the soak: a folder that outlives it, on a free port that it tells its parent.
import process from 'node:process'
import { createFileStorage, createNodeHasher, listen } from '../../dist/node.js'
import { createRegistryHandler } from '../../dist/serve.js'

const storage = createFileStorage(process.argv[2])
const { url } = await listen(createRegistryHandler({ storage, createHasher: createNodeHasher }))
process.send(url)
process.on('disconnect', () => process.exit(0))
