import type { Environment } from '../../node/files/environment.ts'
import type { FetchLike } from '../../types.ts'

/** Where a command writes. A Node stream is one. */
export interface TextOutput {
  write(text: string | Uint8Array): unknown
  readonly isTTY?: boolean
  /** Of a terminal. */
  readonly columns?: number
}

/** The process as the command line sees it, so that tests can run commands in their own process. */
export interface CliIo extends Environment {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly stdout: NodeJS.WritableStream & TextOutput
  readonly stderr: NodeJS.WritableStream & TextOutput
  /** The folder for relative paths. */
  readonly cwd: string
  /** Aborted with an {@link Interrupted} when the user stops the command. */
  readonly signal: AbortSignal
  /** The built file of the worker thread for applications. Default: they run in the current thread. */
  readonly worker?: URL
  /** Default: the global `fetch`. */
  readonly fetch?: FetchLike
}

/** The reason of an abort by a signal, with the exit code. */
export class Interrupted extends Error {
  override readonly name: string = 'Interrupted'
  readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`stopped by ${signal}`)
    this.exitCode = signal === 'SIGINT' ? 130 : 143
  }
}

/** A usage error: exit code 2. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}

/** A failed command, for a reason outside the library: exit code 1. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'
  /** The next step, in place of the hint for the cause. */
  readonly hint?: string

  constructor(message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options)
    if (options.hint !== undefined) this.hint = options.hint
  }
}

/** Whether colours and moving lines may be used. @see https://no-color.org */
export function isTerminal(output: TextOutput, env: CliIo['env']): boolean {
  return output.isTTY === true && env['TERM'] !== 'dumb' && env['CI'] === undefined
}

export function hasColor(output: TextOutput, env: CliIo['env']): boolean {
  const { NO_COLOR: none } = env as { NO_COLOR?: string }
  return isTerminal(output, env) && (none === undefined || none === '')
}
