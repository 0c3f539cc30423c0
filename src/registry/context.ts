import type {
  AuthScope,
  CreateHasher,
  Digest,
  OperationOptions,
  Reference,
  Transport,
} from '../types.ts'

/** What all parts of a repository's client share. */
export interface RepositoryContext {
  readonly reference: Reference
  readonly transport: Transport
  /** `https://host/v2/name/`. */
  readonly base: URL
  /** Bytes per upload request; absent: whole blobs. */
  readonly chunkSize?: number
  readonly createHasher?: CreateHasher
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
