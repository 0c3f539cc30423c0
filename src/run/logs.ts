import type { Ledger } from './budget.ts'
import { isPromise } from './component/runtime.ts'
import { createLineOutput, FREE, type OutputStream, type Pollable } from './wasi/streams.ts'

/** One line of an application's log. */
export interface LogLine {
  /** Empty for what concerns the whole application. */
  readonly component: string
  /** `host`: said about the component, not by it. */
  readonly stream: 'stdout' | 'stderr' | 'host'
  readonly text: string
}

/**
 * Takes a line. With a Promise it says that the line is written only once that resolves: a component
 * that prints faster waits, or is charged for what has not been written.
 */
export type OnLog = (line: LogLine) => unknown

interface RequestLogs {
  /** As `Logs.host`, and counted among the lines of the request. */
  host(component: string, text: string): void
  stream(component: string, stream: 'stdout' | 'stderr'): OutputStream
  /** Resolves when all lines of the request are written; `undefined` when they are. */
  drained(): Promise<unknown> | undefined
}

export interface Logs {
  /** For one request: `ledger` pays for lines on their way, `waits` says whether its guest can wait. */
  request(ledger: Ledger, waits: boolean): RequestLogs
  host(component: string, text: string): void
}

// What a request may have on its way to a slow log before its guest must wait.
const MAX_PENDING = 256 * 1024
// More of one line of the host's says nothing: it may quote names of a guest's.
const MAX_HOST_LINE = 8 * 1024
// What a line takes beside its text while it waits: a message to another thread, for one.
const LINE_BYTES = 512

export function createLogs(onLog: OnLog | undefined): Logs {
  return {
    request: (ledger, waits) => createRequestLogs(onLog, ledger, waits),
    host: (component, text) => void onLog?.(hostLine(component, text)),
  }
}

function hostLine(component: string, text: string): LogLine {
  const isLong = text.length > MAX_HOST_LINE
  return { component, stream: 'host', text: isLong ? `${text.slice(0, MAX_HOST_LINE)}…` : text }
}

function createRequestLogs(onLog: OnLog | undefined, ledger: Ledger, waits: boolean): RequestLogs {
  let pending = 0
  let change: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  const nextChange = (): Promise<void> => {
    if (change === undefined) {
      let resolve = (): void => {}
      const promise = new Promise<void>((done) => (resolve = done))
      change = { promise, resolve }
    }
    return change.promise
  }
  const settled = (bytes: number, payer: Ledger): void => {
    pending -= bytes
    payer.release(bytes)
    change?.resolve()
    change = undefined
  }
  const hand = (line: LogLine, payer = ledger): void => {
    const written = onLog?.(line)
    if (!isPromise(written)) return
    const bytes = LINE_BYTES + 2 * line.text.length
    pending += bytes
    void written.catch(() => {}).then(() => settled(bytes, payer))
    payer.charge(bytes)
  }
  // A guest that can't wait goes on, and is charged for what has not been written.
  const pollable: Pollable = { ready: () => !waits || pending < MAX_PENDING, wait: nextChange }
  const drain = async (): Promise<void> => {
    while (pending > 0) await nextChange()
  }
  return {
    stream: (component, stream) =>
      createLineOutput({
        line: (text) => hand({ component, stream, text }),
        pollable,
        ledger,
      }),
    // What a guest ended with is said whatever it has left of its budget.
    host: (component, text) => hand(hostLine(component, text), FREE),
    drained: () => (pending === 0 ? undefined : drain()),
  }
}
