import { createLineOutput, type OutputStream } from './wasi/streams.ts'

/** One line of an application's log. */
export interface LogLine {
  /** Empty for what concerns the whole application. */
  readonly component: string
  /** `host`: said about the component, not by it. */
  readonly stream: 'stdout' | 'stderr' | 'host'
  readonly text: string
}

export interface Logs {
  stream(component: string, stream: 'stdout' | 'stderr'): OutputStream
  host(component: string, text: string): void
}

export function createLogs(onLog: ((line: LogLine) => void) | undefined): Logs {
  return {
    stream: (component, stream) => createLineOutput((text) => onLog?.({ component, stream, text })),
    host: (component, text) => onLog?.({ component, stream: 'host', text }),
  }
}
