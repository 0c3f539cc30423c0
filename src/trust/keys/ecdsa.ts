/** ECDSA signature encodings: DER on the wire, fixed-width `r ‖ s` (IEEE P1363) in WebCrypto. */
import { concat } from '../../bytes/stream.ts'
import {
  derIntegerBytes,
  DER_SEQUENCE,
  formatDer,
  formatDerInteger,
  derMembers,
} from '../../bytes/der.ts'
import { SpindleError } from '../../errors.ts'

/**
 * Converts DER to `r ‖ s`, each `width` bytes.
 * @throws `ERR_CONTENT_INVALID` for anything but two positive integers that fit.
 */
export function parseEcdsaSignature(der: Uint8Array, width: number): Uint8Array<ArrayBuffer> {
  const integers = derMembers(der).map(derIntegerBytes)
  if (integers.length !== 2)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `an ECDSA signature should have two integers and has ${integers.length}`,
    )
  return concat(
    integers.map((bytes) => {
      const magnitude = bytes[0] === 0 ? bytes.subarray(1) : bytes
      if (bytes[0]! >= 0x80 || magnitude.length === 0 || magnitude.length > width) {
        throw new SpindleError(
          'ERR_CONTENT_INVALID',
          'an integer of the ECDSA signature is out of range',
        )
      }
      return concat([new Uint8Array(width - magnitude.length), magnitude])
    }),
  )
}

/** Converts `r ‖ s` to DER. */
export function formatEcdsaSignature(p1363: Uint8Array): Uint8Array<ArrayBuffer> {
  const half = p1363.length / 2
  return formatDer(
    DER_SEQUENCE,
    formatDerInteger(p1363.subarray(0, half)),
    formatDerInteger(p1363.subarray(half)),
  )
}
