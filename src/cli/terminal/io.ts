import type { Environment } from '../../node/files/environment.ts'
import type { FetchLike } from '../../types.ts'

/** Where a command writes. A Node stream is one. */
export interface TextOutput {
  write(text: string | Uint8Array): unknown
  readonly isTTY?: boolean
  /** Of a terminal. */
  readonly columns?: number
}

/** All that the command line touches of its process, so that it can run inside another. */
export interface CliIo extends Environment {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly stdout: NodeJS.WritableStream & TextOutput
  readonly stderr: NodeJS.WritableStream & TextOutput
  /** The folder that relative paths start from. */
  readonly cwd: string
  /** Aborted by an {@link Interrupted} when the user wants to stop. */
  readonly signal: AbortSignal
  /** The built file of the thread that applications run in. Default: they run in this one. */
  readonly worker?: URL
  /** Default: the global `fetch`. */
  readonly fetch?: FetchLike
}

/** What the signal is aborted with: its exit code says which signal it was. */
export class Interrupted extends Error {
  override readonly name: string = 'Interrupted'
  readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`stopped by ${signal}`)
    this.exitCode = signal === 'SIGINT' ? 130 : 143
  }
}

/** A command that was called in a way it can't be: exit code 2. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}

/** A command that can't do its work, for a reason that is not the library's. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'
  /** What to do, where it is not what the cause would have one do. */
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
