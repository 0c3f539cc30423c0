/**
 * A page without a face, on the origin of an application's pages: it hands requests that the Service
 * Worker takes there on to the playground, which is on another origin and has the application.
 */
import { FRAME, SERVICE_WORKER, type FromBridge, type WhereMessage } from './paths.ts'

const policy = (
  globalThis as {
    trustedTypes?: {
      createPolicy(name: string, rules: object): { createScriptURL(url: string): string }
    }
  }
).trustedTypes?.createPolicy('spindle-preview', { createScriptURL: () => SERVICE_WORKER })

addEventListener('message', ({ source, data, ports: [port] }) => {
  if (source !== parent || data !== 'hello' || port === undefined) return
  void open(port)
})
// Who embeds this gets requests of pages that it embeds as well, and nothing else.
parent.postMessage('here', '*')

async function open(playground: MessagePort): Promise<void> {
  const tell = (message: FromBridge, transfer: Transferable[] = []): void =>
    playground.postMessage(message, transfer)
  playground.onmessage = ({ data }: MessageEvent<WhereMessage>) => {
    if (data.kind === 'where') tell(whereIs())
  }
  try {
    // May be called from anywhere: an application's page is as near to it as this one.
    navigator.serviceWorker.onmessage = ({ data, ports }) => {
      if (ports[0] !== undefined) tell({ kind: 'request', request: data }, [ports[0]])
    }
    const registration = await navigator.serviceWorker.register(
      policy?.createScriptURL(SERVICE_WORKER) ?? SERVICE_WORKER,
      { type: 'module', updateViaCache: 'none' },
    )
    await isActive(registration)
    tell({ kind: 'ready' })
  } catch (error) {
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
  }
}

/** `ready` waits for a Service Worker of this page; a fresh one is enough here. */
async function isActive({ installing, waiting, active }: ServiceWorkerRegistration): Promise<void> {
  if (active?.state === 'activated' && installing === null) return
  const worker = installing ?? waiting ?? active
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (worker?.state === 'activated') resolve()
      // An update that fails leaves the one before at work.
      if (worker?.state === 'redundant') {
        if (active === null) reject(new Error('the Service Worker could not be installed'))
        else resolve()
      }
    }
    worker?.addEventListener('statechange', look)
    look()
  })
}

function whereIs(): FromBridge {
  try {
    const frame = (parent.frames as unknown as Record<string, Window | undefined>)[FRAME]
    const { pathname = '', search = '', hash = '' } = frame?.location ?? {}
    return { kind: 'at', path: pathname + search + hash, title: frame?.document.title ?? '' }
  } catch {
    // It shows another site: that is nobody's business.
    return { kind: 'at', path: '', title: '' }
  }
}
