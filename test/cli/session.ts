import { Readable, Writable } from 'node:stream'
import { type CliIo, Interrupted } from '../../src/cli/terminal/io.ts'
import { runCli } from '../../src/cli/program.ts'
import type { FetchLike } from '../../src/types.ts'
import { createMachine, type Machine } from '../node/machine.ts'

export interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Session extends Machine {
  /** Runs one command line of this machine's user. */
  run(...args: string[]): Promise<Run>
  /** As `run`, with something on stdin, in another folder, or stopped by Ctrl-C at once or later. */
  runWith(how: RunOptions, ...args: string[]): Promise<Run>
}

export interface RunOptions {
  readonly stdin?: string
  readonly cwd?: string
  readonly signal?: AbortSignal
  readonly tty?: boolean
  /** Of the terminal. Default 100. */
  readonly columns?: number
  readonly onStdout?: (text: string) => void
}

/** The command line in this process, on a machine of its own. */
export function createSession(fetch?: FetchLike): Session {
  const machine = createMachine()
  machine.env['XDG_CACHE_HOME'] = machine.path('cache')
  const runWith: Session['runWith'] = async (how, ...args) => {
    const columns = how.columns ?? 100
    const stdout = collector(how.tty === true, columns, how.onStdout)
    const stderr = collector(how.tty === true, columns)
    const io: CliIo = {
      ...machine.options,
      stdin: Readable.from([Buffer.from(how.stdin ?? '')], { objectMode: false }),
      stdout: stdout.stream,
      stderr: stderr.stream,
      cwd: how.cwd ?? machine.home,
      signal: how.signal ?? new AbortController().signal,
      ...(fetch === undefined ? {} : { fetch }),
    }
    const code = await runCli(args, io)
    return { code, stdout: stdout.text(), stderr: stderr.text() }
  }
  return { ...machine, runWith, run: (...args) => runWith({}, ...args) }
}

export function interrupted(): AbortSignal {
  return AbortSignal.abort(new Interrupted('SIGINT'))
}

function collector(
  isTTY: boolean,
  columns: number,
  onText?: (text: string) => void,
): { stream: Writable & { isTTY: boolean }; text: () => string } {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      onText?.(chunk.toString('utf8'))
      done()
    },
  })
  return {
    stream: Object.assign(stream, { isTTY, ...(isTTY && { columns, rows: 30 }) }),
    text: () => Buffer.concat(chunks).toString('utf8'),
  }
}
