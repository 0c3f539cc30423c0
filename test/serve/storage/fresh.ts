import { createMemoryStorage } from '../../../src/serve/storage/memory.ts'
import type { Storage } from '../../../src/serve/storage/port.ts'

let create: () => Storage = createMemoryStorage

/** An empty storage for one test: memory, unless the rules are held against another. */
export const freshStorage = (): Storage => create()

/** For whoever imports the rules of a protocol, to hold them on a storage of its own. */
export function keepIn(open: () => Storage): void {
  create = open
}
