import { ResponseError } from '../errors.ts'

/** All error codes of the specification. @see OCI Distribution Spec 1.1, Error Codes */
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

/** Whether an error is a registry's response with one of these codes. */
export function hasRegistryCode(error: unknown, ...codes: readonly RegistryErrorCode[]): boolean {
  return (
    error instanceof ResponseError &&
    error.details.some(({ code }) => (codes as readonly string[]).includes(code))
  )
}
