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

/** A source with its store opened; `ref` is what to resolve there. */
export interface OpenSource {
  readonly store: ReadStore & Partial<ReferrerStore & ContentStore & PacedStore & WholeStore>
  readonly ref: string
  readonly reference?: Reference
}
export interface OpenLocation extends OpenSource {
  readonly store: Store &
    Partial<ReferrerStore & ContentStore & MountStore & KnownBlobsStore & PacedStore>
}

export function openLocation(location: Location, options: RepositoryOptions): OpenLocation {
  const place = locate(location)
  if ('store' in place) return { store: place.store, ref: place.ref }
  const context = createContext(place.reference, options)
  return { ...place, store: { ...createReader(context), ...createWriter(context) } }
}

export function openSource(source: Source, options: RemoteOptions): OpenSource {
  const place = locate(source)
  if ('store' in place) return { store: place.store, ref: place.ref }
  const context = createContext(place.reference, options)
  return { ...place, store: createReader(context) }
}

/** Names of the options that all verbs take, for those that refuse any other name. */
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

/** Options for a second place: plain credentials stay with the registry of the first. */
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

/** A store in hand with what to resolve there, or which registry's. */
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

/** The same options with one transport in place of what makes one: a call between two registries shares pace and tokens. */
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
  // Both together are refused where the repository is opened, in the same words as everywhere.
  return { ...rest, ...making, transport }
}
