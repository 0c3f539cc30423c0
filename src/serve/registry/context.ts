import type { BodyRoom } from '../../http/body-room.ts'
import type { CreateHasher } from '../../types.ts'
import type { Storage } from '../storage/port.ts'
import type { UploadLedger } from './upload-ledger.ts'

/** What every endpoint works with. */
export interface RegistryContext {
  readonly storage: Storage
  readonly createHasher: CreateHasher
  readonly maxBlobBytes: number
  readonly maxManifestBytes: number
  /** In milliseconds. */
  readonly uploadTtl: number
  readonly uploads: UploadLedger
  /** For manifests and small blobs, which are held in full. */
  readonly bodies: BodyRoom
  readonly allowSparse: boolean
  /** Whether every client may read everything, so that a blob may be mounted from wherever it is. */
  readonly open: boolean
}

/** One request, its URL parsed once. */
export interface Call {
  readonly request: Request
  readonly url: URL
}
