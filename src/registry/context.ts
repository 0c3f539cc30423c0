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

/** What all parts of a repository's client share. */
export interface RepositoryContext {
  readonly reference: Reference
  readonly transport: Transport
  /** `https://host/v2/name/`. Of a registry on loopback it is found out whether it speaks TLS. */
  readonly base: (signal?: AbortSignal) => Promise<URL>
  /** Bytes per upload request; absent: whole blobs. */
  readonly chunkSize?: number
  readonly createHasher?: CreateHasher | undefined
  /** How slowly downloads may come; see `RemoteOptions`. */
  readonly pace: PaceLimits
  /** Upload sessions that a declined mount has left open, for the push that follows. */
  readonly sessions: Map<Digest, UploadSession>
  readonly scope: (...actions: AuthScope['actions']) => AuthScope
  /** A call's options over the repository's own. */
  readonly with: <T extends OperationOptions>(options: T | undefined) => T
}

/** Where to send a blob. */
export interface UploadSession {
  readonly location: URL
  /** What the registry wants of a chunk's size, in bytes. */
  readonly minLength: number
  readonly maxLength: number
}

export interface RepositoryOptions extends RemoteOptions {
  /** Bytes per upload request. Default: whole blobs, which is faster and which all registries take. */
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

/** Opens a repository for the functions of this room. Nothing is asked of the registry yet. */
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
