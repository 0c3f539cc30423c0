import { type PlainErrorCode, SpindleError } from '../errors.ts'

/** An error with the code and data of another, which becomes its cause, and a message of its own. */
export function rewordError(error: SpindleError, message: string): SpindleError {
  const reworded = new SpindleError(error.code as PlainErrorCode, message, { cause: error })
  return Object.assign(reworded, dataOf(error))
}

/** The properties that an error has for its code: see `ErrorData`. */
export function dataOf(error: SpindleError): Readonly<Record<string, unknown>> {
  const { name: _name, code: _code, problem: _problem, remedy: _remedy, ...data } = error
  return data
}
