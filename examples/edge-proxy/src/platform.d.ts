/** What this Worker uses of its platform, so that no types of the whole of it are needed. */
declare module 'cloudflare:workers' {
  export class WorkerEntrypoint<Env = unknown> {
    constructor(context: unknown, env: Env)
    readonly env: Env
  }
}

/** The cache of the data centre that a request arrives at. */
interface CacheStorage {
  readonly default: Cache
}

/** What `spindle build-worker` writes into the folder `app`: the core modules, by their digests. */
declare module '*/app/modules.js' {
  export const modules: Readonly<Record<string, object>>
}
