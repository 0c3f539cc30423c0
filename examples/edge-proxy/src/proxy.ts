import type { PulledApp } from 'spindle/app'
import { pull } from 'spindle/pull'
import { createRepository } from 'spindle/repository'
import { createStaticResponder } from 'spindle/run'
import type { Descriptor, ReadStore } from 'spindle/store'
import { createVerifier } from 'spindle/verify'
import { createContent } from './content.ts'
import { createCurrent } from './current.ts'
import type { CurrentReference } from './current.ts'
import type { Components, Context } from './edge.ts'
import { logEvent } from './log.ts'
import { createMemory } from './memory.ts'
import { createMetrics } from './metrics.ts'
import type { Metrics } from './metrics.ts'
import { policyOf, readSettings } from './settings.ts'
import type { Env, Settings } from './settings.ts'

/** An application that is ready to answer. */
interface ReadyApp<C extends Context> {
  /** What is declared without WebAssembly. */
  readonly respond: (request: Request) => Response | undefined
  /** Woken by the first request that needs them. */
  components(): Promise<Components<C>>
}

/** All that one instance of the Worker has; made at its first request. */
export interface Proxy<C extends Context> {
  readonly metrics: Metrics
  readonly current: CurrentReference
  /** By digest, out of the cache as far as it has it. */
  open(descriptor: Descriptor): Promise<ReadyApp<C>>
}

export async function createProxy<C extends Context>(
  env: Env,
  openComponents: (app: PulledApp, settings: Settings) => Promise<Components<C>>,
  runnable: string,
): Promise<Proxy<C>> {
  const settings = readSettings(env)
  const metrics = createMetrics()
  const { reference, policy, credentials } = settings
  const repository = createRepository(reference, {
    ...(credentials !== undefined && { credentials }),
    fetch(request) {
      metrics.count('registry_requests', { method: request.method })
      return fetch(request)
    },
  })
  const { digest, tag = 'latest' } = repository.reference
  const cache = createContent(env.CONTENT, (layer) => metrics.count('content_lookups', { layer }))
  const policyText = JSON.stringify(policy ?? 'none')
  const verify = policy === undefined ? undefined : createVerifier(await policyOf(policy))

  const toReady = (app: PulledApp): ReadyApp<C> => {
    const respond = createStaticResponder(app)
    let opened: Promise<Components<C>> | undefined
    const components = (): Promise<Components<C>> => {
      opened ??= openComponents(app, settings)
      opened.catch(() => (opened = undefined))
      return opened
    }
    return { respond, components }
  }
  let ready: { readonly digest: string; readonly opening: Promise<ReadyApp<C>> } | undefined
  const open = (descriptor: Descriptor): Promise<ReadyApp<C>> => {
    if (ready?.digest === descriptor.digest) return ready.opening
    const opening = pull(
      { store: known(repository, descriptor), ref: descriptor.digest },
      { cache },
    ).then(toReady)
    ready = { digest: descriptor.digest, opening }
    opening.catch(() => {
      if (ready?.opening === opening) ready = undefined
    })
    return opening
  }

  const current = createCurrent({
    pinned: digest !== undefined,
    ttl: settings.ttl,
    stale: settings.stale,
    memory: await createMemory(env.CONTENT, `${reference}\n${policyText}${runnable}`),
    look: () => repository.resolve(digest ?? tag),
    async prepare(descriptor) {
      const app = await pull(
        { store: known(repository, descriptor), ref: descriptor.digest },
        { cache, ...(verify !== undefined && { verify }) },
      )
      // All of it is in the cache before it answers: the registry may be gone by then.
      await app.contents()
      const prepared = toReady(app)
      await prepared.components()
      ready = { digest: descriptor.digest, opening: Promise.resolve(prepared) }
    },
    onLook(result, error) {
      metrics.count('lookups', { result })
      if (result === 'moved') logEvent('moved', { digest: current.peek()?.descriptor.digest })
      if (result === 'failed') logEvent('lookup-failed', { error })
    },
  })
  return { metrics, current, open }
}

/** The repository, for one digest that need not be looked up. */
function known(repository: ReadStore, descriptor: Descriptor): ReadStore {
  return { ...repository, resolve: async () => descriptor }
}
