import type { BodyRoom } from '../../http/body-room.ts'
import type { CreateHasher } from '../../types.ts'
import type { Storage } from '../storage/port.ts'
import type { UploadLedger } from './upload-ledger.ts'

/** Storage, limits and options, shared by all endpoints. */
export interface RegistryContext {
  readonly storage: Storage
  readonly createHasher: CreateHasher
  readonly maxBlobBytes: number
  readonly maxManifestBytes: number
  /** Milliseconds. */
  readonly uploadTtl: number
  readonly uploads: UploadLedger
  /** Buffers for manifests and small blobs. */
  readonly bodies: BodyRoom
  readonly allowSparse: boolean
  /** Whether every client can read everything, so that a blob can be mounted from any repository. */
  readonly open: boolean
}

/** A request and its parsed URL. */
export interface Call {
  readonly request: Request
  readonly url: URL
}
