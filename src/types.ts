/** Types used by more than one layer. Types of one layer are declared there. */

/** A content digest. Only sha256 is produced; sha512 is accepted on read. */
export type Digest = `sha256:${string}` | `sha512:${string}`

/** Algorithm of a `Digest`. */
export type DigestAlgorithm = 'sha256' | 'sha512'

/**
 * Identifies content by media type, digest and size.
 * @see {@link https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md OCI Image Spec, Descriptors}
 */
export interface Descriptor {
  /** Media type of the content, as in `application/wasm`. */
  readonly mediaType: string
  /** Digest of the content. */
  readonly digest: Digest
  /** In bytes. */
  readonly size: number
  /** Type of the artifact, if the content is an artifact's manifest. */
  readonly artifactType?: string
  /** Annotations of this entry; not those inside the content. */
  readonly annotations?: Readonly<Record<string, string>>
  /** Platform of an image in an index. */
  readonly platform?: {
    /** CPU architecture, as in `wasm` or `amd64`. */
    readonly architecture: string
    /** Operating system, as in `wasip1` or `linux`. */
    readonly os: string
  }
}

/** A parsed OCI reference. `toString()` returns the canonical form. */
export interface Reference {
  /** Host and port as written; Docker Hub is always `docker.io`. */
  readonly registry: string
  /** Name within the registry, as in `team/hello`. */
  readonly repository: string
  /** Tag, if the reference has one. */
  readonly tag?: string
  /** Takes precedence over `tag`, which is then kept for display. */
  readonly digest?: Digest
  /** Scheme given in the text, which selects the protocol. Not part of the canonical form. */
  readonly scheme?: 'http' | 'https'
  /** Canonical form, as in `docker.io/library/hello:1`. */
  toString(): string
}

/** Bytes that can be opened repeatedly and are not read before. A `Blob` is one. */
export interface Content {
  /** In bytes. */
  readonly size: number
  /** A new stream from the first byte. */
  stream(): ReadableStream<Uint8Array>
}

/** Files by path. Paths are relative, `/`-separated and normalized; contents are read on demand. */
export type FileTree = ReadonlyMap<string, Uint8Array | Content>

/** A body to send. A `ReadableStream` can be sent only once, so it is not retried. */
export type BodySource = Uint8Array | Content | ReadableStream<Uint8Array>

/** A streaming digest. */
export interface Hasher {
  /** Adds bytes. Calls are made in order, each after the previous one has resolved. */
  update(bytes: Uint8Array): void | Promise<void>
  /** The raw digest. Called once, last. */
  digest(): Uint8Array | Promise<Uint8Array>
}

/** Creates a streaming hasher; a platform's native one is many times faster than the default. */
export type CreateHasher = (algorithm: DigestAlgorithm) => Hasher

/** Replaces the global `fetch`; also how tests, relays and proxies are attached. */
export type FetchLike = (request: Request) => Promise<Response>

/**
 * A handler as Workers, Bun.serve, hono, msw and a Service Worker accept it. `fetch` needs no
 * `this`.
 */
export interface FetchHandler {
  /** Answers a request. Failures are responses; rejects only for an abort or a bug. */
  readonly fetch: (request: Request) => Promise<Response>
}

/** Credentials of one registry: a password, a registry token, or an OAuth 2 refresh token. */
export type Credentials =
  | {
      /** User name; `<token>` marks `password` as a refresh token, as in Docker's config.json. */
      readonly username: string
      /** Password or access token. */
      readonly password: string
    }
  | {
      /** Sent as `Bearer` as it is, without a token service. */
      readonly token: string
    }
  | {
      /** Exchanged at the registry's token service. */
      readonly refreshToken: string
    }

/** What a request needs access to. */
export interface AuthScope {
  /** Host and port. */
  readonly registry: string
  /**
   * Name of the repository. Empty for the registry itself, as at a login: no scope is requested
   * then.
   */
  readonly repository: string
  /** Actions that the request needs. */
  readonly actions: ReadonlyArray<'pull' | 'push' | 'delete'>
}

/**
 * Looks up credentials, once per scope; `undefined` means anonymous. An error it throws ends the
 * call.
 */
export type Keychain = (
  scope: AuthScope,
) => Credentials | undefined | Promise<Credentials | undefined>

/**
 * Plain credentials are sent only to the one registry that a call names; a call between two takes a
 * keychain.
 */
export type CredentialSource = Credentials | Keychain

/** When and how often failed requests are repeated. */
export interface RetryOptions {
  /** Attempts after the first. Default 2. */
  limit?: number
  /**
   * Milliseconds before attempt `n` (1-based); `Retry-After` takes precedence. Default 250·2ⁿ⁻¹
   * with jitter.
   */
  delay?: (attempt: number) => number
  /** Longest `Retry-After`, in milliseconds, that is waited for. Default 60000. */
  maxDelay?: number
}

/** How requests are sent. */
export interface TransportOptions {
  /** Default: the global `fetch`. */
  fetch?: FetchLike
  /** Credentials of the registry, or a function that looks them up. Default: anonymous. */
  credentials?: CredentialSource
  /** `false` turns retries off. */
  retry?: RetryOptions | false
  /**
   * Milliseconds until the headers of one attempt's response must arrive. Default 30000, plus body
   * time for uploads; `false` disables the timeout.
   */
  timeout?: number | false
  /**
   * Hosts (with port) reached over plain http. Hosts on loopback need no entry: they use it unless
   * they speak TLS.
   */
  insecure?: readonly string[]
  /** Called once per distinct `Warning` header. Informational. */
  onWarning?: (warning: ServerWarning) => void
}

/** A message that a registry attached to a response. @see Distribution Spec 1.1, Warnings */
export interface ServerWarning {
  /** Host and port. */
  readonly host: string
  /** Text of the warning, without control characters and secrets. */
  readonly message: string
}

/**
 * Sends requests. Holds the token cache, rate limiter and retry policy; calls that share one share
 * these.
 */
export interface Transport {
  /** Sends a request. Rejects for a status that the request does not expect. */
  readonly fetch: (request: TransportRequest) => Promise<Response>
  /**
   * The protocol of a registry: the given scheme if there is one; `http:` for hosts in `insecure`; on
   * loopback `https:` if the server speaks TLS, which is detected once per process, else `http:`, as
   * always in pages; for all others `https:`.
   */
  readonly protocol: (
    registry: string,
    options?: {
      readonly scheme?: 'http' | 'https' | undefined
      readonly signal?: AbortSignal | undefined
    },
  ) => Promise<'http:' | 'https:'>
  /** Requests to one host that the platform sends at once; further ones wait. Absent: no limit. */
  readonly connections?: number
  /**
   * Removes the secrets that this transport has sent from a server's text. Default: the text
   * unchanged.
   */
  readonly redact?: (text: string) => string
  /**
   * Whether to repeat work after a failure of attempt `n` (1-based) under this transport's policy;
   * if so, waits for the delay first. For work of more than one request.
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

/** A request that can be repeated: its body is opened again for each attempt. */
export interface TransportRequest {
  /** Default `GET`. */
  readonly method?: string
  /** Absolute URL without user-info. */
  readonly url: string | URL
  /** Headers, except `Authorization`, which the transport adds if there is a `scope`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Default: no body. */
  readonly body?: BodySource
  /** Aborting rejects with `signal.reason` itself. */
  readonly signal?: AbortSignal | undefined
  /**
   * Access that the request needs, its own repository first. Absent: no registry authentication.
   */
  readonly scope?: AuthScope | readonly AuthScope[] | undefined
  /** Statuses outside 2xx that the caller handles; others reject. */
  readonly expect?: readonly number[]
  /** Called with the number of bytes of the body that were passed to the network. */
  readonly onUpload?: ((loaded: number) => void) | undefined
  /**
   * Does not repeat the request after a failure that may have reached the server, which may have
   * kept
   * part of it. Requests answered 429 were not processed, so they are repeated.
   */
  readonly once?: boolean
  /** Returns a redirect to another origin as the response instead of following it. */
  readonly sameOrigin?: boolean
}

/**
 * Progress of a transfer. In this order: one `plan`, then `blob`s interleaved, then one `manifest`
 * per manifest.
 */
export type TransferEvent =
  | {
      /** The transfer was planned. */
      readonly type: 'plan'
      /** Number of blobs. */
      readonly blobs: number
      /** Size of all blobs, in bytes. */
      readonly bytes: number
    }
  | {
      /** A blob changed its status, or bytes of it were transferred. */
      readonly type: 'blob'
      /** The blob. */
      readonly descriptor: Descriptor
      /** `waiting`, then `active`, then one of `done`, `exists`, `mounted`. */
      readonly status: 'waiting' | 'active' | 'done' | 'exists' | 'mounted'
      /** In bytes. Equals the size only after the other side has acknowledged the blob. */
      readonly loaded: number
    }
  | {
      /** A manifest was written. */
      readonly type: 'manifest'
      /** The manifest. */
      readonly descriptor: Descriptor
      /** Tag that was written with it. */
      readonly tag?: string
    }

/** Options of any operation on a store. */
export interface OperationOptions {
  /** Aborting rejects with `signal.reason` itself, never wrapped. */
  signal?: AbortSignal | undefined
  /** Called for each step of a transfer. */
  onProgress?: ((event: TransferEvent) => void) | undefined
  /**
   * Streaming hasher for content too large to buffer. Default: `@noble/hashes`, portable but slow.
   */
  createHasher?: CreateHasher | undefined
}

/** Options of any operation on a registry. */
export interface RemoteOptions extends OperationOptions, TransportOptions {
  /** Transport to use. Together with any option that creates one it is a `TypeError`. */
  transport?: Transport
  /**
   * Blobs in flight at once. Default 8; in pages 6, as browsers open no more connections to one
   * host.
   */
  concurrency?: number
  /**
   * Milliseconds of waiting in which a download must receive its share of `minRate`; otherwise it
   * is
   * resumed on a new connection. Default 60000; `false` for no limit, `minRate` included.
   */
  idleTimeout?: number | false
  /**
   * Lowest rate of a download, in bytes per second. Default 1024; `false` or 0: any byte within
   * `idleTimeout` is enough.
   */
  minRate?: number | false
}

/** A store that content is read from, by descriptor, and names are resolved in. */
export interface ReadStore {
  /**
   * Opens content. The stream errors at its end if the bytes do not match the descriptor: do not
   * act on them before it closes.
   */
  fetch(target: Descriptor, options?: OperationOptions): Promise<ReadableStream<Uint8Array>>
  /** Whether the store has the content. Does not read it. */
  has(target: Descriptor, options?: OperationOptions): Promise<boolean>
  /**
   * Resolves a tag or digest; rejects with `ERR_NOT_FOUND`. `withBytes` also fetches the manifest;
   * saves one request if it is read next.
   */
  resolve(ref: string, options?: OperationOptions & { withBytes?: boolean }): Promise<Descriptor>
}

/** A store that content is read from and written to. */
export interface Store extends ReadStore {
  /**
   * Stores content. Resolves once all bytes are stored and match the descriptor; otherwise nothing
   * is
   * stored. `tag` names a manifest in the same step, which saves a round trip to a registry.
   */
  push(
    expected: Descriptor,
    body: BodySource,
    options?: OperationOptions & { tag?: string },
  ): Promise<void>
  /** Tags stored content. An existing tag is moved. */
  tag(target: Descriptor, ref: string, options?: OperationOptions): Promise<void>
}

/**
 * A store that lists referrers. Optional, like the interfaces below: test with `'referrers' in
 * store`.
 */
export interface ReferrerStore {
  /**
   * Lists the manifests whose subject is `subject`, such as signatures. `everywhere` also lists
   * those
   * that a registry with the referrers API keeps only under the tag of the older tag schema.
   */
  referrers(
    subject: Descriptor,
    options?: OperationOptions & { artifactType?: string; everywhere?: boolean },
  ): AsyncIterable<Descriptor>
}
/** A store with local content. */
export interface ContentStore {
  /** Content that can be sent as it is; `undefined` if it would have to be fetched. */
  content(target: Descriptor): Uint8Array | Content | undefined
}
/** A store that returns small content as bytes. */
export interface WholeStore {
  /** All bytes of small content, verified. Faster than reading a stream (measured). */
  whole(target: Descriptor, options?: OperationOptions): Promise<Uint8Array>
}
/** A store that knows which blobs it has without a request per blob. */
export interface KnownBlobsStore {
  /**
   * Digests that the manifest at a tag points at, which must exist therefore; empty if there is no
   * such tag.
   */
  knownBlobs(ref: string, options?: OperationOptions): Promise<ReadonlySet<Digest>>
}
/** A store that limits concurrent transfers. */
export interface PacedStore {
  /** Transfers that run at once; further ones wait. */
  readonly concurrency?: number
}
/** A store that can copy blobs from another repository of its registry. */
export interface MountStore {
  /** Mounts a blob of another repository. Resolves with `false` if the registry did not. */
  mount(target: Descriptor, fromRepository: string, options?: OperationOptions): Promise<boolean>
}

/** Where an artifact is stored: a reference to a registry, or a ref in a store. */
export type Location =
  | string
  | Reference
  | {
      /** The store. */
      readonly store: Store
      /** Tag or digest there. */
      readonly ref: string
    }
/** Like `Location`, but only read from. */
export type Source =
  | string
  | Reference
  | {
      /** The store. */
      readonly store: ReadStore
      /** Tag or digest there. */
      readonly ref: string
    }

/** A signature that was verified. */
export interface VerifiedSignature {
  /** A sigstore bundle, or cosign's legacy format. */
  readonly format: 'bundle' | 'legacy'
  /**
   * The content that carries the signature: the referrer's manifest, or the layer under the `.sig`
   * tag.
   */
  readonly descriptor: Descriptor
  /** Identity in the certificate; absent for a key. */
  readonly identity?: string
  /** Issuer of the identity; absent for a key. */
  readonly issuer?: string
  /** Time from a log entry or timestamp; absent if the signature has neither. */
  readonly signedAt?: Date
}

/**
 * Decides whether a manifest is accepted, before anything it points at is read: resolves with the
 * signatures that were verified, or rejects. It is a function, not a policy object, so that only
 * programs that verify bundle the verifier.
 */
export type Verifier = (
  subject: { readonly store: ReadStore & Partial<ReferrerStore>; readonly descriptor: Descriptor },
  options?: OperationOptions,
) => Promise<readonly VerifiedSignature[]>
