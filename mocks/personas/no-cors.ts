import type { FetchHandler } from '../../src/types.ts'

/** What a page sees of a registry that does not answer CORS, as all hosted ones: no status, no reason. */
export function createNoCorsPersona(): FetchHandler {
  return {
    async fetch() {
      throw new TypeError('Failed to fetch')
    },
  }
}
