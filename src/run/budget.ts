import { isSpindleError, SpindleError } from '../errors.ts'

/** Bytes that all of one request may take, where nothing else is said. */
export const MAX_MEMORY: number = 512 * 1024 * 1024

/**
 * What a request makes its host hold: memories and tables of all its instances, resources and their
 * bytes, values on their way, bodies and log lines that nobody has taken yet.
 *
 * Requests that components send to each other have one that is nested: it ends by itself, and what it
 * takes is taken of the first one's.
 */
export interface Budget {
  readonly limit: number
  /** Bytes held now, of this request and of those that it sends. */
  readonly held: number
  /** Holds more. Throws `ERR_LIMIT_EXCEEDED`, and ends the guest, when that is too much. */
  charge(bytes: number): void
  /** The same for what a guest may be refused, such as pages of its memory: false when it is too much. */
  tryCharge(bytes: number): boolean
  /** What was charged is held no more. */
  release(bytes: number): void
  /** Whether the guest was refused something: it may end for that reason. */
  readonly wasRefused: boolean
  /** Called when a charge is too much, wherever that is seen. */
  onExceeded: ((error: SpindleError) => void) | undefined
  nested(): Budget
  /** Nothing is held any more, and nothing is counted. */
  end(): void
}

export function createBudget(limit: number = MAX_MEMORY): Budget {
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new TypeError(`"maxMemory" must be a positive number of bytes, not ${limit}`)
  return create(limit, { held: 0 })
}

function create(limit: number, total: { held: number }): Budget {
  let own = 0
  let isOver = false
  let wasRefused = false
  const take = (bytes: number): boolean => {
    if (isOver) return true
    if (total.held + bytes > limit) return false
    total.held += bytes
    own += bytes
    return true
  }
  const budget: Budget = {
    limit,
    get held() {
      return total.held
    },
    get wasRefused() {
      return wasRefused
    },
    onExceeded: undefined,
    charge(bytes) {
      if (take(bytes)) return
      const error = new SpindleError('ERR_LIMIT_EXCEEDED', `component trapped: ${beyond(limit)}`)
      budget.onExceeded?.(error)
      throw error
    },
    tryCharge(bytes) {
      const taken = take(bytes)
      wasRefused ||= !taken
      return taken
    },
    release(bytes) {
      if (isOver) return
      total.held -= bytes
      own -= bytes
    },
    nested: () => create(limit, total),
    end() {
      isOver = true
      total.held -= own
      own = 0
    },
  }
  return budget
}

function beyond(limit: number): string {
  return (
    `the request takes more than the limit of ${limit} bytes of memory: ` +
    'raise it by the option "maxMemory", at a shell by --max-memory'
  )
}

/** What ended a guest, as it is told: one that was refused memory may have ended for that reason. */
export function explainEnd(
  budget: Budget,
  error: unknown,
  reason: string,
): SpindleError | undefined {
  if (!budget.wasRefused || (isSpindleError(error) && error.code === 'ERR_LIMIT_EXCEEDED'))
    return undefined
  return new SpindleError(
    'ERR_LIMIT_EXCEEDED',
    `${reason}; before that it was refused memory: ${beyond(budget.limit)}`,
    { cause: error },
  )
}
