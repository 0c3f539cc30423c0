import { parseJson } from '../../bytes/json.ts'
import { readBounded } from '../../bytes/stream.ts'
import type { FetchHandler, FetchLike } from '../../types.ts'
import type { LogLine } from '../host/logs.ts'
import { keyValueByLabel } from '../host/spin/by-label.ts'
import type { KeyValueStore } from '../host/spin/key-value-store.ts'
import { HOST_PATHS, sendTo } from './host-protocol.ts'

export interface WorkerHostOptions {
  /** How components reach the network; the loaded Worker has applied `allowed_outbound_hosts` before. Default: the global `fetch`. */
  readonly fetch?: FetchLike
  /** Stores by label, or a function of the label. Default: none. */
  readonly keyValue?:
    Readonly<Record<string, KeyValueStore>> | ((label: string) => KeyValueStore | undefined)
  /** Called for each line that a component prints, and with stream `host` for what went wrong around it. */
  readonly onLog?: (line: LogLine) => void
}

// Largest value: the limit of Workers KV, 25 MiB.
const MAX_VALUE = 25 * 1024 * 1024
// The most that a loaded Worker buffers and sends in one request.
const MAX_LOG = 16 * 1024 * 1024

/**
 * What a loaded Worker asks of its parent: the network, stores, the log.
 *
 * Exported from `spindle/worker-loader`. Make it the `fetch` of an entrypoint that nothing but the
 * option `host` of `toWorkerCode` leads to: it trusts whoever asks.
 *
 * @example Serve loaded Workers from a parent with a KV namespace
 * export class AppHost extends WorkerEntrypoint {
 *   fetch(request) {
 *     const keyValue = () => createWorkersKeyValue(this.env.VALUES)
 *     return createWorkerHost({ keyValue, onLog: console.log }).fetch(request)
 *   }
 * }
 */
export function createWorkerHost(options: WorkerHostOptions = {}): FetchHandler {
  const outside: FetchLike = options.fetch ?? ((request) => globalThis.fetch(request))
  const keyValue = options.keyValue && keyValueByLabel(options.keyValue)
  const fetch = async (request: Request): Promise<Response> => {
    const { pathname, searchParams } = new URL(request.url)
    switch (pathname) {
      case HOST_PATHS.outbound:
        return outside(sendTo(searchParams.get('url') ?? '', request))
      case HOST_PATHS.keyValue:
        return answerKeyValue(
          request,
          keyValue?.(searchParams.get('label') ?? ''),
          searchParams.get('key'),
        )
      case HOST_PATHS.log: {
        const lines = parseJson(await readBody(request, MAX_LOG, 'the log'), 'the log')
        for (const line of lines as readonly LogLine[]) options.onLog?.(line)
        return new Response(null, { status: 204 })
      }
      default:
        return new Response(null, { status: 404 })
    }
  }
  return { fetch }
}

async function readBody({ body }: Request, limit: number, what: string): Promise<Uint8Array> {
  return body === null ? new Uint8Array() : readBounded(body, limit, what)
}

async function answerKeyValue(
  request: Request,
  store: KeyValueStore | undefined,
  key: string | null,
): Promise<Response> {
  if (store === undefined) return new Response(null, { status: 404 })
  if (request.method === 'HEAD') return new Response(null, { status: 204 })
  if (key === null) return Response.json([...(await store.keys())])
  switch (request.method) {
    case 'PUT':
      await store.set(key, await readBody(request, MAX_VALUE, 'a value'))
      break
    case 'DELETE':
      await store.delete(key)
      break
    default: {
      const value = await store.get(key)
      if (value !== undefined) return new Response(value as Uint8Array<ArrayBuffer>)
    }
  }
  return new Response(null, { status: 204 })
}
