import { lockApp } from 'spindle/app'
import type { App } from 'spindle/app'
import type { PushOptions } from 'spindle/push'
import type { Destination } from './destination.ts'
import { ownSigner } from './signing.ts'

export interface TransferResult {
  /** Name and digest. */
  readonly reference: string
  readonly isSigned: boolean
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
  { reference: to, isDemo, credentials }: Destination,
  { signal, isSigned, onProgress, onNames, onSigning }: TransferOptions,
): Promise<TransferResult> {
  const { push } = await import('spindle/push')
  onNames(await nameBlobs(app, signal))
  const remote = {
    signal,
    ...(credentials === undefined ? {} : { credentials }),
    ...(isDemo ? { fetch: (await import('./demo-registry.ts')).demoRegistry.fetch } : {}),
  }
  const { reference } = await push(app, to, { ...remote, onProgress })
  if (isSigned) {
    onSigning()
    const { sign } = await import('spindle/sign')
    await sign(reference, await ownSigner(), remote)
  }
  return { reference, isSigned }
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
