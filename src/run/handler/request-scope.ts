import { whenAborted } from '../../bytes/abort.ts'
import { SpindleError } from '../../errors.ts'
import { createBudget, type Budget } from '../budget.ts'
import type { createLogs } from '../host/logs.ts'
import { createDeadline } from '../http/deadline.ts'
import { createRequestTree, type Origin } from './chaining.ts'

// Bytes of a response that may wait for their client after the guest's place was given to another.
export const MAX_UNREAD: number = 256 * 1024

const SENDER_ENDED = new SpindleError('ERR_TRAP', 'the component that sent the request has ended')

type Logs = ReturnType<typeof createLogs>

interface RequestScopeOptions {
  /** Absent for a request from outside. */
  readonly origin: Origin | undefined
  readonly log: Logs
  readonly jspi: boolean
  /** Bytes. */
  readonly maxMemory: number
  /** Milliseconds until the response must begin. */
  readonly timeout: number | undefined
  /** Milliseconds since the request arrived. */
  readonly waited: number | undefined
}

/** Resources of one request, from its arrival until its guest has returned. */
export interface RequestScope {
  readonly deadline: ReturnType<typeof createDeadline>
  readonly budget: Budget
  readonly lines: ReturnType<Logs['request']>
  /** The origin of requests that the guest sends to its own application. */
  readonly sender: Origin
  /** Registers what `end` calls. */
  readonly atEnd: (work: () => void) => void
  /** The response has begun: the end of its sender no longer stops the guest. */
  responded(): void
  /** The body of the response is `bytes` long and buffered; `done` resolves when the client has read it. */
  sendsBody(bytes: number, done: Promise<void>): void
  /** Releases everything once the log lines are written and a long body is read. */
  end(): void
}

export function createRequestScope(
  request: Request,
  { origin, log, jspi, maxMemory, timeout, waited }: RequestScopeOptions,
): RequestScope {
  const deadline = createDeadline(request.signal, timeout, { waited, canAbort: true })
  const budget = origin?.budget.nested() ?? createBudget(maxMemory)
  const lines = log.request(budget, jspi)
  const tree = origin?.tree ?? createRequestTree()
  const leave = tree.begin()
  const ends: Array<() => void> = []
  const waiting = new Set<() => void>()
  let unread: { readonly bytes: number; readonly done: Promise<void> } | undefined

  const stop = (): void => deadline.abort(origin?.signal.reason ?? SENDER_ENDED)
  const stopWaiting = whenAborted(origin?.signal, stop)
  origin?.waiting.add(stop)
  if (origin?.signal.aborted === true) stop()

  return {
    deadline,
    budget,
    lines,
    sender: {
      depth: (origin?.depth ?? 0) + 1,
      first: origin?.first ?? request,
      budget,
      tree,
      signal: deadline.signal,
      waiting,
    },
    atEnd: (work) => void ends.push(work),
    responded: () => void origin?.waiting.delete(stop),
    sendsBody: (bytes, done) => void (unread = { bytes, done }),
    end() {
      deadline.end()
      stopWaiting()
      origin?.waiting.delete(stop)
      for (const work of [...waiting, ...ends]) work()
      const settle = (): void => {
        budget.end()
        // A long body that the client has not read yet still occupies memory.
        if (unread !== undefined && unread.bytes + budget.held > MAX_UNREAD)
          void unread.done.then(leave)
        else leave()
      }
      // Lines that are not written yet occupy the host's memory, too.
      const drained = lines.drained()
      if (drained === undefined) settle()
      else void drained.then(settle)
    },
  }
}
