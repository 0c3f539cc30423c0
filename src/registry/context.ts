import { type PaceLimits, paceLimitsOf } from '../http/timed-reader.ts'
import { createTransport } from '../http/transport.ts'
import { apiHostOf } from '../oci/reference.ts'
import type {
  AuthScope,
  CreateHasher,
  Digest,
  OperationOptions,
  Reference,
  RemoteOptions,
  Transport,
  TransportOptions,
} from '../types.ts'

/** State shared by the functions of this layer for one repository. */
export interface RepositoryContext {
  readonly reference: Reference
  readonly transport: Transport
  /** `https://host/v2/name/`. For a registry on loopback the protocol is detected first. */
  readonly base: (signal?: AbortSignal) => Promise<URL>
  /** Bytes per upload request; absent: one request per blob. */
  readonly chunkSize?: number
  readonly createHasher?: CreateHasher | undefined
  /** Slowest accepted rate of downloads; see `RemoteOptions`. */
  readonly pace: PaceLimits
  /** Upload sessions opened in place of a mount, for the push that follows. */
  readonly sessions: Map<Digest, UploadSession>
  readonly scope: (...actions: AuthScope['actions']) => AuthScope
  /** The options of a call, with those of the repository as defaults. */
  readonly with: <T extends OperationOptions>(options: T | undefined) => T
}

/** An upload session of one blob. */
export interface UploadSession {
  readonly location: URL
  /** Smallest and largest chunk that the registry accepts, in bytes. */
  readonly minLength: number
  readonly maxLength: number
}

/** Options of `createRepository`. */
export interface RepositoryOptions extends RemoteOptions {
  /**
   * Bytes per upload request. Default: one request per blob, which is faster and accepted by all
   * registries.
   */
  chunkSize?: number
}

const TRANSPORT_OPTIONS: readonly (keyof TransportOptions)[] = [
  'credentials',
  'fetch',
  'insecure',
  'onWarning',
  'retry',
  'timeout',
]

/** Creates the context of a repository. No request is made yet. */
export function createContext(reference: Reference, options: RepositoryOptions): RepositoryContext {
  const { chunkSize, createHasher, signal } = options
  const pace = paceLimitsOf(options)
  if (chunkSize !== undefined && !(Number.isSafeInteger(chunkSize) && chunkSize > 0))
    throw new TypeError(`"chunkSize" must be a whole number of bytes above 0, not ${chunkSize}`)
  const given = TRANSPORT_OPTIONS.filter((name) => options[name] !== undefined)
  if (options.transport !== undefined && given.length > 0)
    throw new TypeError(
      `"transport" can't be given together with "${given.join('", "')}": give them to createTransport`,
    )
  const transport =
    options.transport ??
    createTransport(Object.fromEntries(given.map((name) => [name, options[name]])))
  const { registry, repository, scheme } = reference
  const host = apiHostOf(registry)
  let base: URL | undefined
  return {
    reference,
    transport,
    async base(signal) {
      if (base === undefined) {
        const protocol = await transport.protocol(host, { scheme, signal })
        base = new URL(`${protocol}//${host}/v2/${repository}/`)
      }
      return base
    },
    ...(chunkSize !== undefined && { chunkSize }),
    createHasher,
    pace,
    sessions: new Map(),
    scope: (...actions) => ({ registry, repository, actions }),
    with: <T extends OperationOptions>(own: T | undefined): T => ({
      ...own!,
      signal: own?.signal ?? signal,
      createHasher: own?.createHasher ?? createHasher,
    }),
  }
}
