import { isSpindleError, ResponseError } from '../errors.ts'

/** The end of a copy that an error belongs to. */
export type Side = 'source' | 'target'

/**
 * Awaits a call to one side, and names that side in its error unless the error names one already.
 */
export async function onSide<T>(side: Side, call: PromiseLike<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    throw withSide(error, side)
  }
}

/**
 * Awaits a push of content from the source to the target. An error about content that is missing or
 * does not match its digest names the source; any other the target.
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

/** Sets the side of an error and returns it. Errors of other libraries are unchanged. */
export function withSide(error: unknown, side: Side): unknown {
  if (isSpindleError(error) && error.side === undefined && Object.isExtensible(error))
    Object.assign(error, { side })
  return error
}
