import type { WireRequest } from './channel.ts'
import { element, find } from '../../page/dom.ts'
import { hold } from './hold.ts'
import { BRIDGE, EMPTY, FRAME, type FromBridge, type WhereMessage } from './preview/paths.ts'

/** Milliseconds for the other origin to be there: it has a page of one kilobyte to send. */
const BRIDGE_TIMEOUT = 30_000

/**
 * Where an application's pages are shown: on an origin of their own, so that no script of theirs
 * comes near this page, what it keeps, or another application.
 */
export interface Preview {
  readonly origin: string
  go(path: string): void
  close(): void
}

export interface PreviewOptions {
  /** As `https://*.preview.example`. */
  readonly template: string
  /** Put in place of `*`: another one for another application. */
  readonly label: string
  /** Answers whatever comes: the other side may be any script of the application's. */
  readonly onRequest: (request: WireRequest, port: MessagePort) => void
  /** A page was loaded; where, when that can be told. */
  readonly onMoved: (path: string, title: string) => void
  /** Gives it up as long as it is not open. */
  readonly signal: AbortSignal
}

/**
 * Of several, the one below this page's own name: a frame of another site gets no Service Worker in
 * browsers that hold those for trackers.
 */
export function chooseTemplate(templates: readonly string[], host: string): string | undefined {
  const nameOf = (template: string): string => new URL(template.replace('*.', '')).hostname
  return (
    templates.find((template) => nameOf(template) === host) ??
    templates.find((template) => host.endsWith(`.${nameOf(template)}`)) ??
    templates[0]
  )
}

export async function openPreview(options: PreviewOptions): Promise<Preview> {
  const origin = new URL(options.template.replace('*', options.label)).origin
  const { signal } = options
  const bridge = await openBridge(origin, options)
  const frame = element('iframe', { title: 'The application' })
  frame.name = FRAME
  frame.setAttribute(
    'sandbox',
    // Its origin is another one, so that this does not undo the rest. It can't leave this page.
    'allow-scripts allow-same-origin allow-forms allow-modals allow-downloads allow-popups',
  )
  frame.referrerPolicy = 'no-referrer'
  const close = (): void => {
    bridge.close()
    frame.remove()
  }
  // The frame moves to the other origin's process with its first page, and browsers drop what it is
  // sent to in that moment. So nobody sends it anywhere before it is there.
  await new Promise<void>((resolve, reject) => {
    frame.addEventListener('load', () => resolve(), { once: true })
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    frame.src = origin + EMPTY
    find('frame-place').append(frame)
  }).catch((error: unknown) => {
    close()
    throw error
  })
  frame.addEventListener('load', () =>
    bridge.port.postMessage({ kind: 'where' } satisfies WhereMessage),
  )
  let isEmpty = true
  return {
    origin,
    go(path) {
      // Not resolved against it: `//elsewhere.example/` is a path of the application too.
      const { href } = new URL(origin + path)
      // Nobody wants to go back to the empty page.
      if (isEmpty) frame.contentWindow?.location.replace(href)
      else frame.src = href
      isEmpty = false
    },
    close,
  }
}

/** The application is fine; there is nowhere to show it. */
export class PreviewError extends Error {}

/** Another tab shows an application there: see `hold.ts`. */
export class OriginTakenError extends Error {
  constructor(origin: string) {
    super(`${origin} is the only place that this page has for applications.`)
  }
}

/** Loads what an origin needs, so that it is there when the network is gone. */
export async function prepareOrigin(
  template: string,
  label: string,
  signal: AbortSignal,
): Promise<void> {
  const origin = new URL(template.replace('*', label)).origin
  const nothing = (): void => undefined
  const bridge = await openBridge(origin, { onRequest: nothing, onMoved: nothing, signal })
  bridge.close()
}

interface Bridge {
  readonly port: MessagePort
  close(): void
}

async function openBridge(
  origin: string,
  { onRequest, onMoved, signal }: Pick<PreviewOptions, 'onRequest' | 'onMoved' | 'signal'>,
): Promise<Bridge> {
  signal.throwIfAborted()
  // Of two bridges on one origin, the wrong one would be asked.
  const giveBack = await hold(origin)
  if (giveBack === undefined) throw new OriginTakenError(origin)
  if (signal.aborted) giveBack()
  signal.throwIfAborted()
  const bridge = element('iframe')
  bridge.hidden = true
  bridge.title = 'Bridge'
  const { port1: port, port2 } = new MessageChannel()
  const close = (): void => {
    port.close()
    bridge.remove()
    giveBack()
  }
  return new Promise<Bridge>((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer)
      removeEventListener('message', onHere)
      signal.removeEventListener('abort', onAbort)
    }
    const fail = (reason: unknown): void => {
      settle()
      close()
      reject(reason)
    }
    const onAbort = (): void => fail(signal.reason)
    const timer = setTimeout(
      () =>
        fail(
          new PreviewError(
            `${origin} gave no answer. Check that it is served, and that this browser reaches it.`,
          ),
        ),
      BRIDGE_TIMEOUT,
    )
    const onHere = (event: MessageEvent): void => {
      if (event.source !== bridge.contentWindow || event.origin !== origin) return
      removeEventListener('message', onHere)
      bridge.contentWindow?.postMessage('hello', origin, [port2])
    }
    port.onmessage = ({ data, ports }: MessageEvent<FromBridge>) => {
      switch (data.kind) {
        case 'ready':
          settle()
          return resolve({ port, close })
        case 'failed':
          return fail(
            new PreviewError(`${origin} can’t show applications in this browser: ${data.message}`),
          )
        case 'at':
          return onMoved(String(data.path), String(data.title))
        case 'request': {
          const request = checkedRequest(data.request, origin)
          if (request !== undefined && ports[0] !== undefined) onRequest(request, ports[0])
        }
      }
    }
    addEventListener('message', onHere)
    signal.addEventListener('abort', onAbort, { once: true })
    bridge.src = origin + BRIDGE
    find('bridge-place').append(bridge)
  })
}

/** Whoever sent it: a request of that origin, and nothing that it is not. */
function checkedRequest(value: unknown, origin: string): WireRequest | undefined {
  const { method, url, headers, body, isNavigation } = (value ?? {}) as Partial<WireRequest>
  if (typeof method !== 'string' || typeof url !== 'string' || !Array.isArray(headers)) return
  if (!URL.canParse(url) || new URL(url).origin !== origin) return
  const pairs: readonly unknown[] = headers
  const isPair = (pair: unknown): pair is string[] =>
    Array.isArray(pair) && pair.every((text) => typeof text === 'string')
  if (!pairs.every(isPair)) return
  return {
    method,
    url,
    headers: pairs.map(([name = '', value = '']) => [name, value] as const),
    body: body instanceof ArrayBuffer ? body : undefined,
    isNavigation: isNavigation === true,
  }
}
