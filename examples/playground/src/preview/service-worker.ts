/**
 * Takes every request of an application's pages and asks the playground for the answer.
 *
 * It keeps nothing in memory: browsers end it whenever they like, and it comes back as it was.
 */
import { receiveResponse, REQUEST_BYTES, type WireRequest } from '../channel.ts'
import { BRIDGE, BRIDGE_SCRIPT, EMPTY, SERVICE_WORKER } from './paths.ts'

// The parts of a Service Worker's scope that are used: its types and those of pages exclude each other.
interface Scope {
  readonly location: Location
  readonly clients: {
    claim(): Promise<void>
    matchAll(options: object): Promise<
      ReadonlyArray<{
        readonly url: string
        postMessage(data: unknown, transfer: Transferable[]): void
      }>
    >
  }
  skipWaiting(): Promise<void>
  addEventListener(name: string, listener: (event: ScopeEvent) => void): void
}
interface ScopeEvent {
  readonly request: Request
  waitUntil(work: Promise<unknown>): void
  respondWith(response: Promise<Response>): void
}
const scope = globalThis as unknown as Scope

const OWN: readonly string[] = [BRIDGE, BRIDGE_SCRIPT, EMPTY]
const CACHE = 'spindle-preview'

scope.addEventListener('install', (event) => {
  // So that an application that was opened once opens without a network too.
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([...OWN])))
  void scope.skipWaiting()
})
scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()))
scope.addEventListener('fetch', (event) => {
  const { origin, pathname } = new URL(event.request.url)
  if (origin !== scope.location.origin || pathname === SERVICE_WORKER) return
  event.respondWith(OWN.includes(pathname) ? own(event.request) : forward(event.request))
})

async function own(request: Request): Promise<Response> {
  try {
    return await fetch(request)
  } catch (error) {
    const kept = await caches.match(new URL(request.url).pathname)
    if (kept === undefined) throw error
    return kept
  }
}

async function forward(request: Request): Promise<Response> {
  const pages = await scope.clients.matchAll({ type: 'window', includeUncontrolled: true })
  const bridge = pages.find(({ url }) => new URL(url).pathname === BRIDGE)
  if (bridge === undefined)
    return plain(503, 'The playground that runs this application is closed.')
  const body =
    request.method === 'GET' || request.method === 'HEAD' ? undefined : await request.arrayBuffer()
  if (body !== undefined && body.byteLength > REQUEST_BYTES)
    return plain(413, `This playground passes on ${REQUEST_BYTES} bytes of a request at most.`)
  const wire: WireRequest = {
    method: request.method,
    url: request.url,
    headers: [...request.headers],
    body: body?.byteLength === 0 ? undefined : body,
    isNavigation: request.mode === 'navigate',
  }
  const { port1, port2 } = new MessageChannel()
  bridge.postMessage(wire, [port2])
  try {
    return await receiveResponse(port1)
  } catch (error) {
    return plain(502, error instanceof Error ? error.message : String(error))
  }
}

function plain(status: number, text: string): Response {
  return new Response(text, { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' } })
}
