import type { HostInterface } from '../../component/abi/items.ts'
import type { InputStream, OutputStream } from './streams.ts'

/** Thrown by a guest's `exit` to unwind it. Not an error: a command that exits with 0 has succeeded. */
export interface ExitSignal {
  readonly exitCode: number
}

export function isExitSignal(value: unknown): value is ExitSignal {
  return typeof value === 'object' && value !== null && 'exitCode' in value
}

/** Whether a guest exited with code 0. */
export function isSuccess(value: unknown): boolean {
  return isExitSignal(value) && value.exitCode === 0
}

export interface CliOptions {
  readonly env: ReadonlyArray<readonly [string, string]>
  readonly args: readonly string[]
  /** Opens a new stream per call. */
  readonly stdin: () => InputStream
  readonly stdout: () => OutputStream
  readonly stderr: () => OutputStream
}

/** `wasi:cli`: no terminal, and an `exit` that ends the call. */
export function createCli(options: CliOptions): Readonly<Record<string, HostInterface>> {
  const exit = (exitCode: number): never => {
    throw { exitCode } satisfies ExitSignal
  }
  const none = (): undefined => undefined
  return {
    'wasi:cli/environment': {
      functions: {
        'get-environment': () => options.env,
        'get-arguments': () => options.args,
        'initial-cwd': none,
      },
    },
    'wasi:cli/exit': {
      functions: {
        exit: (status: { tag: string }) => exit(status.tag === 'ok' ? 0 : 1),
        'exit-with-code': exit,
      },
    },
    'wasi:cli/stdin': { functions: { 'get-stdin': options.stdin } },
    'wasi:cli/stdout': { functions: { 'get-stdout': options.stdout } },
    'wasi:cli/stderr': { functions: { 'get-stderr': options.stderr } },
    'wasi:cli/terminal-input': { functions: {} },
    'wasi:cli/terminal-output': { functions: {} },
    'wasi:cli/terminal-stdin': { functions: { 'get-terminal-stdin': none } },
    'wasi:cli/terminal-stdout': { functions: { 'get-terminal-stdout': none } },
    'wasi:cli/terminal-stderr': { functions: { 'get-terminal-stderr': none } },
  }
}
