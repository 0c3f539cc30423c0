import { parseJson } from '../../bytes/json.ts'
import type { Digest, FetchHandler } from '../../types.ts'
import { restoreApp } from '../app/app-snapshot.ts'
import type { LogLine, OnLog } from '../host/logs.ts'
import type { RunApp } from '../app/run-app.ts'
import { createRunHandler } from '../handler/run-handler.ts'
import type { KeyValueStore } from '../host/spin/key-value-store.ts'
import { HOST_BINDING, keyValueBinding, VARIABLE_PREFIX } from './bindings.ts'
import { askHostStores, createHostFetch, createHostKeyValue } from './host-client.ts'
import { HOST_PATHS, hostUrl } from './host-protocol.ts'
import { unpackSnapshot, type WorkerDescription } from './packed-snapshot.ts'
import { createWorkersKeyValue, type WorkersKeyValueNamespace } from './workers-key-value.ts'

/** All that a Worker of its own consists of, beside this code. */
interface WorkerParts {
  /** A {@link WorkerDescription} as JSON. */
  readonly app: ArrayBuffer
  readonly content: ArrayBuffer
  /** What the platform compiled, by the digest that skeletons name. */
  readonly modules: Readonly<Record<Digest, object>>
}

interface Context {
  waitUntil(work: Promise<unknown>): void
}

/** An application as the whole of a Worker: the default export of what this library writes. */
export function createWorkerApp(parts: WorkerParts): {
  fetch(
    request: Request,
    env: Readonly<Record<string, unknown>>,
    context: Context,
  ): Promise<Response>
} {
  const contexts = new WeakMap<Request, Context>()
  const starts = async (env: Readonly<Record<string, unknown>>): Promise<Running> => {
    const host = env[HOST_BINDING] as FetchHandler | undefined
    const log = host === undefined ? createConsoleLog() : createHostLog(host)
    try {
      const { app: packed, options } = readDescription(parts.app)
      const app = restoreApp(unpackSnapshot(packed, new Uint8Array(parts.content)))
      const handler = await createRunHandler(app, {
        ...options,
        variables: variablesIn(env),
        compile: (_, digest) => parts.modules[digest],
        keyValue: await storesOf(app, env, host),
        ...(host !== undefined && { fetch: createHostFetch(host) }),
        onLog: log.line,
        clientAddress: addressOf,
        waitUntil: (work, request) =>
          contexts.get(request)?.waitUntil(work.then(log.flush, log.flush)),
      })
      return { handler, log }
    } catch (error) {
      log.line({ component: '', stream: 'host', text: `can't start: ${(error as Error).message}` })
      await log.flush()
      throw error
    }
  }
  let started: Promise<Running> | undefined
  return {
    async fetch(request, env, context) {
      started ??= starts(env)
      // Kept alive for the others that wait for it, should this client leave.
      context.waitUntil(started.catch(() => (started = undefined)))
      const running = await started.catch(() => undefined)
      if (running === undefined) return new Response(null, { status: 500 })
      contexts.set(request, context)
      try {
        return await running.handler.fetch(request)
      } finally {
        context.waitUntil(running.log.flush())
      }
    },
  }
}

function readDescription(bytes: ArrayBuffer): WorkerDescription {
  return parseJson(new Uint8Array(bytes), 'the description of the application') as WorkerDescription
}

interface Running {
  readonly handler: FetchHandler
  readonly log: WorkerLog
}

interface WorkerLog {
  readonly line: OnLog
  readonly flush: () => Promise<void>
}

function createConsoleLog(): WorkerLog {
  return {
    line: ({ component, stream, text }) =>
      console[stream === 'stdout' ? 'log' : 'error'](
        component === '' ? text : `${component}: ${text}`,
      ),
    flush: () => Promise.resolve(),
  }
}

// Bounds the buffered log of a guest that cannot wait and so leaves no turn for sending.
const MAX_LINES = 10_000
const MAX_BYTES = 8 * 1024 * 1024
// The log is sent at this size, even before a request ends.
const SEND_AT = 64 * 1024

function createHostLog(host: FetchHandler): WorkerLog {
  let lines: LogLine[] = []
  let bytes = 0
  let sent: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  const nextSent = (): Promise<void> => {
    if (sent === undefined) {
      let resolve = (): void => {}
      const promise = new Promise<void>((done) => (resolve = done))
      sent = { promise, resolve }
    }
    return sent.promise
  }
  const flush = async (): Promise<void> => {
    if (lines.length === 0) return
    const body = JSON.stringify(lines)
    const done = sent
    lines = []
    bytes = 0
    sent = undefined
    try {
      const response = await host.fetch(
        new Request(hostUrl(HOST_PATHS.log), { method: 'POST', body }),
      )
      await response.body?.cancel()
    } finally {
      done?.resolve()
    }
  }
  return {
    line(line) {
      if (lines.length > MAX_LINES || bytes > MAX_BYTES) return undefined
      bytes += line.text.length
      if (lines.length === MAX_LINES || bytes > MAX_BYTES)
        lines.push({ component: '', stream: 'host', text: 'more was printed than can be kept' })
      else lines.push(line)
      if (bytes < SEND_AT) return undefined
      const promise = nextSent()
      // In a later turn, so that lines printed meanwhile are sent together.
      if (bytes - line.text.length < SEND_AT) setTimeout(() => void flush().catch(() => {}))
      return promise
    },
    flush,
  }
}

function variablesIn(env: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      name.startsWith(VARIABLE_PREFIX) && typeof value === 'string'
        ? [[name.slice(VARIABLE_PREFIX.length).toLowerCase(), value]]
        : [],
    ),
  )
}

/** No in-memory store: other isolates would not see its values. */
async function storesOf(
  app: RunApp,
  env: Readonly<Record<string, unknown>>,
  host: FetchHandler | undefined,
): Promise<(label: string) => KeyValueStore | undefined> {
  const labels = new Set([...app.components.values()].flatMap((one) => one.keyValueStores))
  const unbound = [...labels].filter((label) => env[keyValueBinding(label)] === undefined)
  const atHost = host === undefined ? undefined : await askHostStores(host, unbound)
  return (label) => {
    const bound = env[keyValueBinding(label)]
    if (bound !== undefined) return createWorkersKeyValue(bound as WorkersKeyValueNamespace)
    return host !== undefined && atHost?.has(label) === true
      ? createHostKeyValue(host, label)
      : undefined
  }
}

/** Client address as set by the platform, which overwrites a client's own header. The port is unknown. */
function addressOf(request: Request): string {
  const ip = request.headers.get('cf-connecting-ip') ?? '0.0.0.0'
  return `${ip.includes(':') ? `[${ip}]` : ip}:0`
}
