import { lockApp } from 'spindle/app'
import type { App } from 'spindle/app'
import type { PushOptions } from 'spindle/push'
import type { Destination } from './destination.ts'
import { ownPublicKey, ownSigner } from './signing.ts'

export interface TransferResult {
  /** Name and digest. */
  readonly reference: string
  /** What it was signed with: the public half, for links. Absent: it was not signed. */
  readonly key: string | undefined
  /** Whether it is kept in this browser, for the playground to find. */
  readonly isKept: boolean
}

export interface TransferOptions {
  readonly signal: AbortSignal
  readonly isSigned: boolean
  readonly onProgress: NonNullable<PushOptions['onProgress']>
  /** Told once what the blobs are called. */
  readonly onNames: (names: ReadonlyMap<string, string>) => void
  readonly onSigning: () => void
}

/** The whole work of this page: push, then sign what was pushed. */
export async function transfer(
  app: App,
  { reference: to, isDemo, relay, credentials }: Destination,
  { signal, isSigned, onProgress, onNames, onSigning }: TransferOptions,
): Promise<TransferResult> {
  const { push } = await import('spindle/push')
  onNames(await nameBlobs(app, signal))
  const fetch = isDemo
    ? (await import('./demo-registry.ts')).demoRegistry.fetch
    : relay && (await import('../../page/relay-fetch.ts')).createRelayFetch(relay)
  const remote = {
    signal,
    ...(credentials === undefined ? {} : { credentials }),
    ...(fetch && { fetch }),
  }
  const { reference } = await push(app, to, { ...remote, onProgress })
  if (isSigned) {
    onSigning()
    const { sign } = await import('spindle/sign')
    await sign(reference, await ownSigner(), remote)
  }
  return {
    reference,
    key: isSigned ? await ownPublicKey() : undefined,
    isKept: isDemo && (await keepForPlayground(reference, remote)),
  }
}

/** From this page's memory into what the pages of this origin keep. */
async function keepForPlayground(
  reference: string,
  remote: Pick<PushOptions, 'fetch' | 'signal'>,
): Promise<boolean> {
  const [{ copy }, { createContentStore }] = await Promise.all([
    import('spindle/copy'),
    import('../../page/content-store.ts'),
  ])
  try {
    await copy(reference, { store: createContentStore(), ref: 'demo' }, remote)
    return true
  } catch {
    // Full, or not allowed: it was pushed all the same.
    return false
  }
}

async function nameBlobs(app: App, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const { locked } = await lockApp(app, { signal })
  const names = new Map<string, string>()
  for (const { id, source, files = [] } of locked.components) {
    for (const file of files) names.set(file.digest, file.path)
    names.set(source.digest, `component ${id}`)
  }
  return names
}
