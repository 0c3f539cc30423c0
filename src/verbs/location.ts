import { createTransport } from '../http/transport.ts'
import { isReference, parseReference } from '../oci/reference.ts'
import { createContext, type RepositoryOptions } from '../registry/context.ts'
import { createReader } from '../registry/reader.ts'
import { createWriter } from '../registry/writer.ts'
import type {
  ContentStore,
  KnownBlobsStore,
  Location,
  MountStore,
  PacedStore,
  ReadStore,
  Reference,
  ReferrerStore,
  RemoteOptions,
  Source,
  Store,
  WholeStore,
} from '../types.ts'

/** A source whose store is open. */
export interface OpenSource {
  readonly store: ReadStore & Partial<ReferrerStore & ContentStore & PacedStore & WholeStore>
  /** Tag or digest to resolve in the store. */
  readonly ref: string
  /** Absent for a store given by the caller. */
  readonly reference?: Reference
}
/** A location whose store is open. */
export interface OpenLocation extends OpenSource {
  readonly store: Store &
    Partial<ReferrerStore & ContentStore & MountStore & KnownBlobsStore & PacedStore>
}

/** Opens a location for reading and writing. No request is made yet. */
export function openLocation(location: Location, options: RepositoryOptions): OpenLocation {
  const place = locate(location)
  if ('store' in place) return { store: place.store, ref: place.ref }
  const context = createContext(place.reference, options)
  return { ...place, store: { ...createReader(context), ...createWriter(context) } }
}

/**
 * Opens a source for reading; programs that only read do not bundle uploads. No request is made
 * yet.
 */
export function openSource(source: Source, options: RemoteOptions): OpenSource {
  const place = locate(source)
  if ('store' in place) return { store: place.store, ref: place.ref }
  const context = createContext(place.reference, options)
  return { ...place, store: createReader(context) }
}

/** Names of the options of all verbs, for verbs that refuse unknown names. */
export const REMOTE_OPTIONS: Readonly<Record<keyof RemoteOptions, true>> = {
  concurrency: true,
  createHasher: true,
  credentials: true,
  fetch: true,
  idleTimeout: true,
  insecure: true,
  minRate: true,
  onProgress: true,
  onWarning: true,
  retry: true,
  signal: true,
  timeout: true,
  transport: true,
}

/** Options for a second location: plain credentials are sent only to the registry of the first. */
export function optionsElsewhere<T extends RemoteOptions>(
  options: T,
  first: Reference | undefined,
): T {
  const { credentials } = options
  if (first === undefined || credentials === undefined || typeof credentials === 'function')
    return options
  return {
    ...options,
    credentials: ({ registry }) => (registry === first.registry ? credentials : undefined),
  }
}

/** A location as a store with a ref, or as a reference with a ref. */
export function locate<T extends Source>(
  location: T,
): Extract<T, { readonly store: unknown }> | { reference: Reference; ref: string } {
  if (typeof location === 'object' && 'store' in location)
    return location as Extract<T, { readonly store: unknown }>
  if (typeof location !== 'string' && !isReference(location)) {
    throw new TypeError('a location is a reference string, a parsed reference or { store, ref }')
  }
  const reference =
    typeof location === 'string'
      ? parseReference(location, { defaultTag: 'latest', defaultRegistry: 'docker.io' })
      : location
  return { reference, ref: reference.digest ?? reference.tag ?? 'latest' }
}

/**
 * The same options with one transport in place of those that create one, so that a call between two
 * registries shares rate limits and tokens.
 */
export function withTransport(options: RemoteOptions): RemoteOptions {
  const { fetch, credentials, retry, timeout, insecure, onWarning, transport, ...rest } = options
  const making = {
    ...(fetch === undefined ? {} : { fetch }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(retry === undefined ? {} : { retry }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(insecure === undefined ? {} : { insecure }),
    ...(onWarning === undefined ? {} : { onWarning }),
  }
  if (transport === undefined) return { ...rest, transport: createTransport(making) }
  // Both together are refused by `createContext`, with one message for all callers.
  return { ...rest, ...making, transport }
}
