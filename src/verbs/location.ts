import { createTransport } from '../http/transport.ts'
import { isReference, parseReference } from '../oci/reference.ts'
import { createRepository } from '../registry/repository.ts'
import type {
  ContentStore,
  KnownBlobsStore,
  Location,
  MountStore,
  ReadStore,
  Reference,
  ReferrerStore,
  RemoteOptions,
  Source,
  Store,
} from '../types.ts'

/** A source with its store opened; `ref` is what to resolve there. */
export interface OpenSource {
  readonly store: ReadStore & Partial<ReferrerStore & ContentStore>
  readonly ref: string
  readonly reference?: Reference
}
export interface OpenLocation extends OpenSource {
  readonly store: Store & Partial<ReferrerStore & ContentStore & MountStore & KnownBlobsStore>
}

export function openLocation(location: Location, options: RemoteOptions): OpenLocation {
  if (typeof location === 'object' && 'store' in location)
    return { store: location.store, ref: location.ref }
  const { reference, ref } = parse(location)
  return { store: createRepository(reference, options), ref, reference }
}

export function openSource(source: Source, options: RemoteOptions): OpenSource {
  if (typeof source === 'object' && 'store' in source)
    return { store: source.store, ref: source.ref }
  const { reference, ref } = parse(source)
  return { store: createRepository(reference, options), ref, reference }
}

function parse(location: string | Reference): { reference: Reference; ref: string } {
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
