import { ResponseError } from '../errors.ts'

/** The codes that the specification has; it allows no others. @see OCI Distribution Spec 1.1, Error Codes */
export type RegistryErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DENIED'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'TOOMANYREQUESTS'
  | 'UNAUTHORIZED'
  | 'UNSUPPORTED'

/** Whether a registry gave one of these codes as its reason. */
export function hasRegistryCode(error: unknown, ...codes: readonly RegistryErrorCode[]): boolean {
  return (
    error instanceof ResponseError &&
    error.details.some(({ code }) => (codes as readonly string[]).includes(code))
  )
}
