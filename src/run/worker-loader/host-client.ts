import { parseJson } from '../../bytes/json.ts'
import { readBounded } from '../../bytes/stream.ts'
import { InvalidResponse } from '../../errors.ts'
import type { FetchHandler, FetchLike } from '../../types.ts'
import type { KeyValueStore } from '../host/spin/key-value-store.ts'
import { HOST_PATHS, hostUrl, sendTo } from './host-protocol.ts'

// The limit of the parent's `createWorkerHost` for values.
const MAX_VALUE = 25 * 1024 * 1024
// Names of 160 bytes for as many keys as a list of Workers KV gives.
const MAX_KEYS = 16 * 1024 * 1024

export function createHostFetch(host: FetchHandler): FetchLike {
  return (request) =>
    host.fetch(sendTo(hostUrl(HOST_PATHS.outbound, { url: request.url }), request))
}

/** Asks the parent for which labels it has a store. A guest gets the error when it opens a missing one. */
export async function askHostStores(
  host: FetchHandler,
  labels: Iterable<string>,
): Promise<ReadonlySet<string>> {
  const asked = Array.from(labels, async (label) => {
    const url = hostUrl(HOST_PATHS.keyValue, { label })
    const { ok } = await host.fetch(new Request(url, { method: 'HEAD' }))
    return ok ? [label] : []
  })
  return new Set((await Promise.all(asked)).flat())
}

export function createHostKeyValue(host: FetchHandler, label: string): KeyValueStore {
  const ask = async (
    parameters: Readonly<Record<string, string>>,
    init: RequestInit = {},
  ): Promise<Response> => {
    const url = hostUrl(HOST_PATHS.keyValue, { label, ...parameters })
    const response = await host.fetch(new Request(url, init))
    if (response.ok) return response
    throw new InvalidResponse('the store failed', {
      status: response.status,
      method: init.method ?? 'GET',
      url,
    })
  }
  const read = ({ body }: Response, limit: number): Promise<Uint8Array> =>
    readBounded(body ?? new Uint8Array(), limit, 'what the store answers')
  return {
    async get(key) {
      const response = await ask({ key })
      return response.status === 204 ? undefined : read(response, MAX_VALUE)
    },
    set: async (key, value) =>
      void (await ask({ key }, { method: 'PUT', body: value as Uint8Array<ArrayBuffer> })),
    delete: async (key) => void (await ask({ key }, { method: 'DELETE' })),
    keys: async () =>
      parseJson(await read(await ask({}), MAX_KEYS), 'the list of keys') as readonly string[],
  }
}
