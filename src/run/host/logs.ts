import type { Ledger } from '../budget.ts'
import { isPromise } from '../component/abi/runtime.ts'
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
// What the host may have on its way to a slow log, for all requests: more than one line of each that is
// under way. Requests that are refused hold no place, so nothing else bounds how many lines they make.
const MAX_HOST_PENDING = 2 * 1024 * 1024
// What a line takes beside its text while it waits: a message to another thread, for one.
const LINE_BYTES = 512

export function createLogs(onLog: OnLog | undefined): Logs {
  const host = createHostLines(onLog)
  return {
    request: (ledger, waits) => createRequestLogs(onLog, host, ledger, waits),
    host: (component, text) => void host(component, text),
  }
}

/** Hands on a line of the host's; a Promise says when it is written. */
type HostLines = (component: string, text: string) => Promise<unknown> | undefined

function createHostLines(onLog: OnLog | undefined): HostLines {
  let pending = 0
  let omitted = 0
  const hand = (component: string, text: string): Promise<unknown> | undefined => {
    const line = hostLine(component, text)
    const bytes = bytesOfLine(line)
    if (pending > 0 && pending + bytes > MAX_HOST_PENDING) {
      omitted++
      return undefined
    }
    const written = onLog?.(line)
    if (!isPromise(written)) return undefined
    pending += bytes
    return written
      .catch(() => {})
      .then(() => {
        pending -= bytes
        if (omitted === 0 || pending > MAX_HOST_PENDING / 2) return
        const count = omitted
        omitted = 0
        void hand('', `the log is slow: ${count} lines about requests were left out`)
      })
  }
  return hand
}

function bytesOfLine({ text }: LogLine): number {
  return LINE_BYTES + 2 * text.length
}

function hostLine(component: string, text: string): LogLine {
  const isLong = text.length > MAX_HOST_LINE
  return { component, stream: 'host', text: isLong ? `${text.slice(0, MAX_HOST_LINE)}…` : text }
}

function createRequestLogs(
  onLog: OnLog | undefined,
  hostLines: HostLines,
  ledger: Ledger,
  waits: boolean,
): RequestLogs {
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
  const hand = (written: unknown, bytes: number, payer: Ledger): void => {
    if (!isPromise(written)) return
    pending += bytes
    void written
      .catch(() => {})
      .then(() => {
        pending -= bytes
        payer.release(bytes)
        change?.resolve()
        change = undefined
      })
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
        line: (text) => {
          const line = { component, stream, text }
          hand(onLog?.(line), bytesOfLine(line), ledger)
        },
        pollable,
        ledger,
      }),
    // What a guest ended with is said whatever it has left of its budget.
    host: (component, text) => hand(hostLines(component, text), LINE_BYTES, FREE),
    drained: () => (pending === 0 ? undefined : drain()),
  }
}
