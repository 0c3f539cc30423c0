import { unpackApp, type PulledApp } from 'spindle/app'
import { isSpindleError, SpindleError } from 'spindle/errors'
import { pull, type PullOptions } from 'spindle/pull'
import { parseReference } from 'spindle/reference'
import { createMemoryStore, type Store } from 'spindle/store'
import { createContentStore } from '../../page/content-store.ts'
import type { AppImage } from './guest-messages.ts'
import { findRecent, remember } from './recents.ts'
import { loadVerifier, type Check } from './signature-check.ts'

/** What somebody asks to run. */
export interface Wanted {
  readonly reference: string
  /** Where a relay is that goes to the registry; absent: the registry is asked itself. */
  readonly relay?: string | undefined
  readonly credentials?: { readonly username: string; readonly password: string } | undefined
  /** Absent: whoever signed it or not. */
  readonly check?: Check | undefined
}

/** An application that is whole and checked, byte by byte. */
export interface Opened {
  readonly app: PulledApp
  readonly image: AppImage
  readonly reference: string
  /** Names what belongs to this application in this browser, whatever its version. */
  readonly key: string
  readonly from: 'registry' | 'relay' | 'kept' | 'sample'
  /** Said of it: by whom it is signed, or what had to be done without. */
  readonly verified: string | undefined
  readonly note: string | undefined
}

type OnProgress = NonNullable<PullOptions['onProgress']>

export interface OpenOptions {
  readonly signal: AbortSignal
  readonly onProgress: OnProgress
}

/** `examples/hello`, which is part of this page: it needs no registry and no network. */
export async function openSample({ signal, onProgress }: OpenOptions): Promise<Opened> {
  const [{ sample }, { loadApp }, { push }] = await Promise.all([
    import('../../page/sample.ts'),
    import('spindle/app'),
    import('spindle/push'),
  ])
  const store = createMemoryStore()
  await push(await loadApp(sample, { signal }), { store, ref: 'sample' }, { signal })
  const app = await pull({ store, ref: 'sample' }, { signal })
  return {
    app,
    image: await imageOf(app, onProgress, signal),
    reference: '',
    key: 'sample',
    from: 'sample',
    verified: undefined,
    note: undefined,
  }
}

/** Pulls it, or takes what was kept of it: nothing that was read once has to be asked for again. */
export async function openApp(wanted: Wanted, options: OpenOptions): Promise<Opened> {
  const { registry, repository, digest } = parseReference(wanted.reference)
  const key = `${registry}/${repository}`
  const known = findRecent(wanted.reference)
  const isChecked =
    wanted.check === undefined || known?.checked?.policy === JSON.stringify(wanted.check)
  if (digest !== undefined && isChecked) {
    const kept = await openKept(digest, options)
    if (kept !== undefined)
      return {
        ...kept,
        reference: wanted.reference,
        key,
        from: 'kept',
        verified: wanted.check && known?.checked?.by,
        note: undefined,
      }
  }
  try {
    return await openRemote(wanted, key, options)
  } catch (error) {
    options.signal.throwIfAborted()
    const isAway = isSpindleError(error) && ['ERR_NETWORK', 'ERR_TIMEOUT'].includes(error.code)
    const kept =
      isAway && isChecked && known !== undefined ? await openKept(known.digest, options) : undefined
    if (kept === undefined || known === undefined) throw error
    return {
      ...kept,
      reference: wanted.reference,
      key,
      from: 'kept',
      verified: wanted.check && known.checked?.by,
      note: `${registry} gave no answer: this is what it had on ${new Date(known.at).toLocaleString()}.`,
    }
  }
}

async function openRemote(
  wanted: Wanted,
  key: string,
  { signal, onProgress }: OpenOptions,
): Promise<Opened> {
  const { store: cache, problem } = withoutFailing(createContentStore())
  const remote: PullOptions = {
    signal,
    cache,
    ...(wanted.credentials && { credentials: wanted.credentials }),
    ...(wanted.check && { verify: await loadVerifier(wanted.check) }),
    ...(wanted.relay && {
      fetch: (await import('../../page/relay-fetch.ts')).createRelayFetch(wanted.relay),
    }),
  }
  const app = await pull(wanted.reference, remote)
  const image = await imageOf(app, onProgress, signal)
  const [signature] = app.signatures
  const by =
    wanted.check === undefined
      ? undefined
      : wanted.check.kind === 'key'
        ? 'your key'
        : `${signature?.identity ?? wanted.check.identity}`
  remember({
    reference: wanted.reference,
    digest: app.descriptor.digest,
    at: Date.now(),
    ...(by !== undefined && { checked: { by, policy: JSON.stringify(wanted.check) } }),
  })
  return {
    app,
    image,
    reference: wanted.reference,
    key,
    from: wanted.relay === undefined ? 'registry' : 'relay',
    verified: by,
    note: problem()
      ? 'This browser has no room to keep it: after a reload it has to be pulled again. Beside the list of what ran before, “Forget all that is kept” makes room.'
      : undefined,
  }
}

async function openKept(
  digest: string,
  { signal, onProgress }: OpenOptions,
): Promise<Pick<Opened, 'app' | 'image'> | undefined> {
  const store = createContentStore()
  try {
    const app = await unpackApp(await store.resolve(digest), store, { signal })
    return { app, image: await imageOf(app, onProgress, signal) }
  } catch {
    signal.throwIfAborted()
    // Not all of it is there, or not as it was: the registry has it.
    return undefined
  }
}

async function imageOf(
  app: PulledApp,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<AppImage> {
  const contents = await app.contents({ onProgress, signal })
  return { descriptor: app.descriptor, locked: app.locked, contents }
}

/** A cache that is full, or that there is none of, costs a second download and nothing else. */
function withoutFailing(store: Store): { store: Store; problem: () => boolean } {
  let failed = false
  const instead =
    <T>(value: T) =>
    (): T => {
      failed = true
      return value
    }
  return {
    problem: () => failed,
    store: {
      ...store,
      has: (target, options) => store.has(target, options).catch(instead(false)),
      push: (target, body, options) => store.push(target, body, options).catch(instead(undefined)),
    },
  }
}

/** For a reference that names no application at all. */
export function assertReference(text: string): void {
  const { tag, digest } = parseReference(text)
  if (tag === undefined && digest === undefined)
    throw new SpindleError('ERR_REFERENCE_INVALID', 'Add a tag at the end, as in :1.0.0.')
}
