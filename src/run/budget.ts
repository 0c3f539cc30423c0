import { isSpindleError, SpindleError } from '../errors.ts'
import { createSlots, type Slots } from './slots.ts'

/** Bytes that all of one request may take, where nothing else is said. */
export const MAX_MEMORY: number = 512 * 1024 * 1024

// What stores and databases of the caller's give is in memory before it can be charged: at once, so many
// values of one request. As many as requests run at once by default.
const MAX_HOST_CALLS = 64

/** Counts what somebody holds. */
export interface Ledger {
  /** Holds more. Throws `ERR_LIMIT_EXCEEDED`, and ends the guest, when that is too much. */
  charge(bytes: number): void
  /** What was charged is held no more. */
  release(bytes: number): void
}

/**
 * What a request makes its host hold: memories and tables of all its instances, resources and their
 * bytes, values on their way, bodies and log lines that nobody has taken yet. Everything is charged
 * before it is made, so that `held` never exceeds `limit`.
 *
 * Requests that components send to each other have one that is nested: it ends by itself, and what it
 * takes is taken of the first one's.
 */
export interface Budget extends Ledger {
  readonly limit: number
  /** Bytes held now, of this request and of those that it sends. */
  readonly held: number
  /** As `charge`, for what a guest may be refused, such as pages of its memory: false when it is too much. */
  tryCharge(bytes: number): boolean
  /** Whether the guest was refused something: it may end for that reason. */
  readonly wasRefused: boolean
  /** Called when a charge is too much, wherever that is seen. */
  onExceeded: ((error: SpindleError) => void) | undefined
  /** For bodies, which whoever sent the request may still read when the guest has ended: `end` keeps them. */
  readonly bodies: Ledger
  /** Calls of stores, databases and own interfaces of the host that have not been answered. */
  readonly calls: Slots
  nested(): Budget
  /** Nothing but bodies is held any more. */
  end(): void
}

export function createBudget(limit: number = MAX_MEMORY): Budget {
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new TypeError(`"maxMemory" must be a positive number of bytes, not ${limit}`)
  return create(limit, { held: 0 }, createSlots(MAX_HOST_CALLS))
}

/** Takes false for an answer when it is too much. */
interface Account {
  take(bytes: number): boolean
  give(bytes: number): void
}

function create(limit: number, total: { held: number }, calls: Slots, parent?: Account): Budget {
  let own = 0
  let isOver = false
  let wasRefused = false
  const account: Account = {
    take(bytes) {
      if (isOver) return true
      if (total.held + bytes > limit) return false
      total.held += bytes
      own += bytes
      return true
    },
    give(bytes) {
      if (isOver) return
      total.held -= bytes
      own -= bytes
    },
  }
  /** Of the first request, bodies outlast its guest; of others, until the first one has ended. */
  const bodies: Account = parent ?? {
    take(bytes) {
      if (total.held + bytes > limit) return false
      total.held += bytes
      return true
    },
    give: (bytes) => void (total.held -= bytes),
  }
  const ledger = ({ take, give }: Account): Ledger => ({
    charge(bytes) {
      if (take(bytes)) return
      const error = new SpindleError('ERR_LIMIT_EXCEEDED', `component trapped: ${beyond(limit)}`)
      budget.onExceeded?.(error)
      throw error
    },
    release: give,
  })
  const budget: Budget = {
    ...ledger(account),
    bodies: ledger(bodies),
    calls,
    limit,
    get held() {
      return total.held
    },
    get wasRefused() {
      return wasRefused
    },
    onExceeded: undefined,
    tryCharge(bytes) {
      const taken = account.take(bytes)
      wasRefused ||= !taken
      return taken
    },
    nested: () => create(limit, total, calls, account),
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
