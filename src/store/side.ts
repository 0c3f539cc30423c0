import { isSpindleError, ResponseError } from '../errors.ts'

/** Which end of a copy something belongs to. */
export type Side = 'source' | 'target'

/** Settles as a call to one side does; its error names that side, unless it names one already. */
export async function onSide<T>(side: Side, call: PromiseLike<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    throw withSide(error, side)
  }
}

/**
 * Settles as a push of content from the source to the target does. Content that does not match its
 * digest, or is not there, is the fault of the source.
 */
export async function onEitherSide<T>(call: PromiseLike<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    const isOfContent =
      isSpindleError(error) &&
      !(error instanceof ResponseError) &&
      (error.code === 'ERR_DIGEST_MISMATCH' || error.code === 'ERR_FILE_MISSING')
    throw withSide(error, isOfContent ? 'source' : 'target')
  }
}

/** The error itself, which names a side from then on. What is not of this library is left alone. */
export function withSide(error: unknown, side: Side): unknown {
  if (isSpindleError(error) && error.side === undefined && Object.isExtensible(error))
    Object.assign(error, { side })
  return error
}
