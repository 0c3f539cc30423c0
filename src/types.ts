/** Types that more than one room speaks. What belongs to one room stands there. */

/** A content digest. Only sha256 is produced; sha512 is accepted on read. */
export type Digest = `sha256:${string}` | `sha512:${string}`

export type DigestAlgorithm = 'sha256' | 'sha512'

/** Points at bytes by type, digest and size. The only currency that stores trade in. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** In bytes. */
  readonly size: number
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly platform?: { readonly architecture: string; readonly os: string }
}

/** A parsed OCI reference. `toString()` gives the canonical form back. */
export interface Reference {
  /** Host and port as written, Docker Hub as `docker.io`. */
  readonly registry: string
  readonly repository: string
  readonly tag?: string
  /** Wins over `tag`, which is then kept for display. */
  readonly digest?: Digest
  /** How the registry is reached, where the text said it. No part of the canonical form. */
  readonly scheme?: 'http' | 'https'
  /** Canonical, as `docker.io/library/hello:1`. */
  toString(): string
}

/** Bytes that can be opened again and again, and cost nothing before that. A `Blob` is one. */
export interface Content {
  /** In bytes. */
  readonly size: number
  /** From the first byte, each time. */
  stream(): ReadableStream<Uint8Array>
}

/** Paths are relative, `/`-separated and normalized; contents are read when needed. */
export type FileTree = ReadonlyMap<string, Uint8Array | Content>

/** A body to send. Only a one-shot stream can't be sent again after a failure. */
export type BodySource = Uint8Array | Content | ReadableStream<Uint8Array>

/** A streaming digest. */
export interface Hasher {
  /** In order, and each awaited. */
  update(bytes: Uint8Array): void | Promise<void>
  /** Raw digest bytes. Called once, last. */
  digest(): Uint8Array | Promise<Uint8Array>
}

/** Makes a streaming hasher; a platform's native one is many times faster than the default. */
export type CreateHasher = (algorithm: DigestAlgorithm) => Hasher

/** Injected in place of the global `fetch`; also how tests, relays and proxies plug in. */
export type FetchLike = (request: Request) => Promise<Response>

/** What Workers, Bun.serve, hono, msw and a Service Worker all accept. `fetch` needs no `this`. */
export interface FetchHandler {
  /** Rejects only for an abort or a bug: what goes wrong is a response. */
  readonly fetch: (request: Request) => Promise<Response>
}

export type Credentials =
  | { readonly username: string; readonly password: string }
  | { readonly token: string }
  | { readonly refreshToken: string }

export interface AuthScope {
  readonly registry: string
  /** Empty for the registry itself, as at a login: no scope is asked for then. */
  readonly repository: string
  readonly actions: ReadonlyArray<'pull' | 'push' | 'delete'>
}

/** Asked once per scope; `undefined` means anonymous. What it throws ends the call. */
export type Keychain = (
  scope: AuthScope,
) => Credentials | undefined | Promise<Credentials | undefined>

/** Plain credentials go to the one registry a call names; a call between two takes a keychain. */
export type CredentialSource = Credentials | Keychain

export interface RetryOptions {
  /** Attempts after the first. Default 2. */
  limit?: number
  /** Milliseconds before attempt `n` (1-based); `Retry-After` wins over it. Default 250·2ⁿ⁻¹ with jitter. */
  delay?: (attempt: number) => number
  /** Longest wait in milliseconds that a server may ask for. Default 60000. */
  maxDelay?: number
}

export interface TransportOptions {
  /** Default: the global `fetch`. */
  fetch?: FetchLike
  credentials?: CredentialSource
  /** `false` turns retries off. */
  retry?: RetryOptions | false
  /** Milliseconds for one attempt to answer with headers. Default 30000, plus body time for uploads; `false` for none. */
  timeout?: number | false
  /** Hosts (with port) that are reached over plain http. Loopback is where it speaks no TLS. */
  insecure?: readonly string[]
  /** Told once of each thing that a server says by a `Warning` header. Nothing acts on them. */
  onWarning?: (warning: ServerWarning) => void
}

/** @see Distribution Spec 1.1, Warnings */
export interface ServerWarning {
  /** Host and port. */
  readonly host: string
  readonly message: string
}

/** Holds the token cache, limiter and retry policy; share one between calls to share them. */
export interface Transport {
  /** Rejects for a status that the request does not expect. */
  readonly fetch: (request: TransportRequest) => Promise<Response>
  /**
   * How a registry is reached: by the scheme if there is one; `http:` for hosts in `insecure`; on
   * loopback `https:` where the server speaks TLS, which is found out once for each process, else
   * `http:`, as always in pages; else `https:`.
   */
  readonly protocol: (
    registry: string,
    options?: {
      readonly scheme?: 'http' | 'https' | undefined
      readonly signal?: AbortSignal | undefined
    },
  ) => Promise<'http:' | 'https:'>
  /** Requests to one host that the platform sends at once, where it keeps others waiting. */
  readonly connections?: number
  /** A server's text without the secrets that this transport has sent. Default: as it is. */
  readonly redact?: (text: string) => string
  /**
   * Whether a failure of attempt `n` (1-based) is worth another one under this transport's policy;
   * if so, waits its time first. For work that takes more than one request to do again.
   */
  readonly again: (
    error: unknown,
    attempt: number,
    options?: {
      readonly signal?: AbortSignal | undefined
      readonly also?: (error: unknown) => boolean
    },
  ) => Promise<boolean>
}

/** A request that can be made again: its body is opened anew for each attempt. */
export interface TransportRequest {
  readonly method?: string
  readonly url: string | URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: BodySource
  readonly signal?: AbortSignal | undefined
  /** What it is for, the request's own first. Absent: no registry authentication. */
  readonly scope?: AuthScope | readonly AuthScope[] | undefined
  /** Statuses that the caller handles; any other of 400 and above rejects. */
  readonly expect?: readonly number[]
  /** Bytes of the body that have been handed to the network. */
  readonly onUpload?: ((loaded: number) => void) | undefined
  /**
   * Not sent again after a failure that may have reached the server: half of it may have been kept.
   * A 429 has not been looked at, so it is no such failure.
   */
  readonly once?: boolean
  /** A redirect to another origin is answered as it is, not followed. */
  readonly sameOrigin?: boolean
}

/** Emitted in this order: one `plan`, then `blob`s interleaved, then one `manifest` per manifest. */
export type TransferEvent =
  | { readonly type: 'plan'; readonly blobs: number; readonly bytes: number }
  | {
      readonly type: 'blob'
      readonly descriptor: Descriptor
      /** `waiting`, then `active`, ends as one of `done`, `exists`, `mounted`. */
      readonly status: 'waiting' | 'active' | 'done' | 'exists' | 'mounted'
      /** In bytes; equals the size only once the other side has acknowledged. */
      readonly loaded: number
    }
  | { readonly type: 'manifest'; readonly descriptor: Descriptor; readonly tag?: string }

export interface OperationOptions {
  /** Aborting rejects with `signal.reason` itself, never wrapped. */
  signal?: AbortSignal | undefined
  /** Told of each step of a transfer. */
  onProgress?: ((event: TransferEvent) => void) | undefined
  /** Streaming hasher for what is too large to hold. Default: `@noble/hashes`, portable but slow. */
  createHasher?: CreateHasher | undefined
}

export interface RemoteOptions extends OperationOptions, TransportOptions {
  /** Reuse a transport. Together with any option that makes one it is a `TypeError`. */
  transport?: Transport
  /** Blobs in flight at once. Default 8; in pages 6, as browsers send no more to one host. */
  concurrency?: number
  /**
   * Milliseconds of waiting in which a download must bring its share of `minRate`, else it is resumed on
   * a new connection. Default 60000; `false` for no limit, `minRate` included.
   */
  idleTimeout?: number | false
  /**
   * Bytes per second that a download must bring. Default 1024; `false` or 0: any byte in `idleTimeout`
   * is enough.
   */
  minRate?: number | false
}

/** Where content can be read by descriptor, and names looked up. */
export interface ReadStore {
  /** The stream errors at its end when the bytes don't fit the descriptor: don't act on them before it closes. */
  fetch(target: Descriptor, options?: OperationOptions): Promise<ReadableStream<Uint8Array>>
  /** Whether it is there; nothing of it is read. */
  has(target: Descriptor, options?: OperationOptions): Promise<boolean>
  /**
   * A tag or digest to what it names; rejects with `ERR_NOT_FOUND`. `withBytes`: it is read next, so
   * that a registry may be asked once for both.
   */
  resolve(ref: string, options?: OperationOptions & { withBytes?: boolean }): Promise<Descriptor>
}

export interface Store extends ReadStore {
  /**
   * Resolves once all bytes are kept and fit the descriptor; otherwise nothing is kept.
   * `tag` names a manifest in the same step: on a registry that saves a round trip.
   */
  push(
    expected: Descriptor,
    body: BodySource,
    options?: OperationOptions & { tag?: string },
  ): Promise<void>
  /** Names what is there already; a name that is taken moves. */
  tag(target: Descriptor, ref: string, options?: OperationOptions): Promise<void>
}

/** Optional powers, found with `'referrers' in store`. */
export interface ReferrerStore {
  /**
   * What points at `subject`: signatures, for one. `everywhere`: also what a registry doesn't list
   * that has the API now, and stands under the tag from before.
   */
  referrers(
    subject: Descriptor,
    options?: OperationOptions & { artifactType?: string; everywhere?: boolean },
  ): AsyncIterable<Descriptor>
}
export interface ContentStore {
  /** Content in hand, to be sent as it is; `undefined` when it would have to be fetched. */
  content(target: Descriptor): Uint8Array | Content | undefined
}
export interface WholeStore {
  /** All bytes of small content, checked: to read it as a stream costs more than the bytes (measured). */
  whole(target: Descriptor, options?: OperationOptions): Promise<Uint8Array>
}
export interface KnownBlobsStore {
  /** What the manifest now at a tag points at, so must be there; empty when there is none. */
  knownBlobs(ref: string, options?: OperationOptions): Promise<ReadonlySet<Digest>>
}
export interface PacedStore {
  /** Transfers that it takes at once without keeping some of them waiting. */
  readonly concurrency?: number
}
export interface MountStore {
  /** `true` when the target's registry took the blob over from another of its repositories. */
  mount(target: Descriptor, fromRepository: string, options?: OperationOptions): Promise<boolean>
}

/** Where an artifact lives: a reference to a registry, or a ref in a store in hand. */
export type Location = string | Reference | { readonly store: Store; readonly ref: string }
/** As `Location`, but only read from. */
export type Source = string | Reference | { readonly store: ReadStore; readonly ref: string }

/** A signature that held. */
export interface VerifiedSignature {
  /** A sigstore bundle, or cosign's older form. */
  readonly format: 'bundle' | 'legacy'
  /** What carries the signature: the referrer's manifest, or the layer under the `.sig` tag. */
  readonly descriptor: Descriptor
  /** Of the certificate; absent for a key. */
  readonly identity?: string
  readonly issuer?: string
  /** As a log or timestamp authority vouches for it. */
  readonly signedAt?: Date
}

/**
 * Decides whether a manifest may be used, before anything it points at is read: resolves with the
 * signatures that held, or rejects. A function and not a policy object, so that only who verifies
 * ships the verifier.
 */
export type Verifier = (
  subject: { readonly store: ReadStore & Partial<ReferrerStore>; readonly descriptor: Descriptor },
  options?: OperationOptions,
) => Promise<readonly VerifiedSignature[]>
