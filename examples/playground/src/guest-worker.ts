/** The Worker that an application runs in: `guest.ts` has started it. */
import { PolicyRejected } from 'spindle/errors'
import { createIndexedDbKeyValue, createMemoryKeyValue, type KeyValueStore } from 'spindle/run'
import { runInWorker } from 'spindle/run-worker'
import type { FromGuest, ToGuest } from './guest-messages.ts'

// What is used of a Worker's scope: its types and those of pages exclude each other.
const scope = globalThis as unknown as {
  readonly name: string
  postMessage(message: unknown): void
  addEventListener(name: 'message', listener: (event: MessageEvent) => void): void
}

/** What the page alone can do, and is asked for. */
let page: MessagePort | undefined
const tell = (message: FromGuest): void => page?.postMessage(message)
const verdicts = new Map<number, (isAllowed: boolean) => void>()
let asked = 0

scope.addEventListener('message', ({ ports: [port] }) => {
  if (port === undefined) return
  page = port
  page.onmessage = ({ data: { id, isAllowed } }: MessageEvent<ToGuest>) => {
    verdicts.get(id)?.(isAllowed)
    verdicts.delete(id)
  }
})
runInWorker(scope, { fetch: reach, keyValue: openStore() })

/** Guests wait for IndexedDB where they can wait at all; elsewhere values live as long as the Worker. */
function openStore(): (label: string) => KeyValueStore {
  const stores = new Map<string, KeyValueStore>()
  return (label) => {
    const known = stores.get(label)
    if (known !== undefined) return known
    const store =
      'Suspending' in WebAssembly
        ? createIndexedDbKeyValue(`${scope.name}/${label}`)
        : createMemoryKeyValue()
    const told = {
      ...store,
      set: (key: string, value: Uint8Array) => after(store.set(key, value)),
      delete: (key: string) => after(store.delete(key)),
    }
    stores.set(label, told)
    return told
  }
}

function after(change: void | Promise<void>): void | Promise<void> {
  const stored = (): void => tell({ kind: 'stored' })
  return change instanceof Promise ? change.then(stored) : stored()
}

/** The network, as far as the manifest and the person in front of the page let the application. */
async function reach(request: Request): Promise<Response> {
  const { origin, host } = new URL(request.url)
  const say = (text: string): void => tell({ kind: 'said', text })
  const id = ++asked
  const isAllowed = await new Promise<boolean>((resolve) => {
    verdicts.set(id, resolve)
    tell({ kind: 'outbound', id, origin })
  })
  if (!isAllowed) {
    say(`${origin} was not reached: it is blocked under Network`)
    throw new PolicyRejected('HOST_NOT_ALLOWED', `${origin} is blocked in this playground`, [])
  }
  const sends = request.method !== 'GET' && request.method !== 'HEAD'
  try {
    return await fetch(request.url, {
      method: request.method,
      headers: request.headers,
      // Browsers stream no bodies over HTTP/1.1.
      ...(sends && { body: await request.blob() }),
      signal: request.signal,
      redirect: 'manual',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
    })
  } catch (error) {
    if (!request.signal.aborted)
      say(`${host} gave no answer: it is down, or does not let pages in (CORS)`)
    throw error
  }
}
