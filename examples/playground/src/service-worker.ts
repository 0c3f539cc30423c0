/** Keeps the files of the playground's own page, so that it opens without a network. */

/** Put in when it is built: all files of the page, and a name for just these. */
declare const FILES: readonly string[]
declare const VERSION: string

// The parts of a Service Worker's scope that are used: its types and those of pages exclude each other.
interface ScopeEvent {
  readonly request: Request
  waitUntil(work: Promise<unknown>): void
  respondWith(response: Promise<Response>): void
}
const scope = globalThis as unknown as {
  readonly clients: { claim(): Promise<void> }
  readonly registration: { readonly scope: string }
  skipWaiting(): Promise<void>
  addEventListener(name: string, listener: (event: ScopeEvent) => void): void
}

const PREFIX = 'spindle-playground-page-'
const CACHE: string = PREFIX + VERSION

scope.addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(['./', ...FILES])))
  void scope.skipWaiting()
})
scope.addEventListener('activate', (event) => {
  event.waitUntil(forgetOthers().then(() => scope.clients.claim()))
})
scope.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  const base = scope.registration.scope
  const file = url.href.slice(base.length).split(/[?#]/)[0] ?? ''
  if (!url.href.startsWith(base) || request.method !== 'GET') return
  if (file !== '' && !FILES.includes(file)) return
  event.respondWith(newest(request, base + file))
})

/** What the network has; what is kept when there is none. */
async function newest(request: Request, address: string): Promise<Response> {
  try {
    return await fetch(request)
  } catch (error) {
    const kept = await caches.match(address)
    if (kept === undefined) throw error
    return kept
  }
}

async function forgetOthers(): Promise<void> {
  const names = await caches.keys()
  const others = names.filter((name) => name.startsWith(PREFIX) && name !== CACHE)
  await Promise.all(others.map((name) => caches.delete(name)))
}
