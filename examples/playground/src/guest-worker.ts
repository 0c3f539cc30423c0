/** One application in a Worker of its own: whatever it does, the page goes on and can end it. */
import { isSpindleError, SpindleError } from 'spindle/errors'
import {
  createAppHandler,
  createIndexedDbKeyValue,
  createMemoryKeyValue,
  type KeyValueStore,
} from 'spindle/run'
import { appOf } from './app-of-image.ts'
import { receiveRequest, sendFailure, sendResponse } from './channel.ts'
import type { FromGuest, StartMessage, ToGuest } from './guest-messages.ts'

const port = globalThis as unknown as {
  postMessage(message: FromGuest): void
  onmessage: ((event: MessageEvent<ToGuest>) => void) | null
}
const post = (message: FromGuest): void => port.postMessage(message)

let handler: ReturnType<typeof createAppHandler> | undefined
const verdicts = new Map<number, (isAllowed: boolean) => void>()
let asked = 0

port.onmessage = ({ data, ports: [answer] }) => {
  switch (data.kind) {
    case 'start':
      return void start(data)
    case 'ping':
      return post({ kind: 'pong' })
    case 'verdict':
      verdicts.get(data.id)?.(data.isAllowed)
      return void verdicts.delete(data.id)
    case 'request':
      if (answer === undefined || handler === undefined) return
      handler
        .then((app) => app.fetch(receiveRequest(data.request)))
        .then((response) => sendResponse(response, answer))
        .catch((error: unknown) => sendFailure(String((error as Error).message), answer))
  }
}

async function start({ image, variables, values }: StartMessage): Promise<void> {
  handler = createAppHandler(appOf(image), {
    variables,
    fetch: reach,
    keyValue: openStore(values),
    onLog: (line) => post({ kind: 'log', line }),
  })
  try {
    await handler
    post({ kind: 'started' })
  } catch (error) {
    const code = isSpindleError(error) ? error.code : ''
    post({ kind: 'refused', code, message: error instanceof Error ? error.message : String(error) })
  }
}

/** Guests wait for IndexedDB where they can wait at all; elsewhere values live as long as the Worker. */
function openStore(values: string): (label: string) => KeyValueStore {
  const stores = new Map<string, KeyValueStore>()
  return (label) => {
    const known = stores.get(label)
    if (known !== undefined) return known
    const store =
      'Suspending' in WebAssembly
        ? createIndexedDbKeyValue(`${values}/${label}`)
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
  const tell = (): void => post({ kind: 'stored' })
  return change instanceof Promise ? change.then(tell) : tell()
}

/** The network, as far as the manifest and the person in front of the page let the application. */
async function reach(request: Request): Promise<Response> {
  const { origin, host } = new URL(request.url)
  const say = (text: string): void =>
    post({ kind: 'log', line: { component: '', stream: 'host', text } })
  const id = ++asked
  const isAllowed = await new Promise<boolean>((resolve) => {
    verdicts.set(id, resolve)
    post({ kind: 'outbound', id, origin })
  })
  if (!isAllowed) {
    say(`${origin} was not reached: it is blocked under Network`)
    throw new SpindleError('ERR_POLICY_REJECTED', `${origin} is blocked in this playground`)
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
