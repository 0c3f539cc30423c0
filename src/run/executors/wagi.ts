import { raceAbort } from '../../bytes/abort.ts'
import { SpindleError } from '../../errors.ts'
import type { Ledger } from '../budget.ts'
import type { CompiledComponent } from '../component/compile.ts'
import type { CoreHost, HostImports } from '../component/abi/host-imports.ts'
import { instantiateComponent } from '../component/instantiate.ts'
import { instantiateModule, moduleExports } from './core-module.ts'
import { createCli, isExitSignal } from '../host/wasi/cli.ts'
import { createPreview1 } from '../host/wasi/preview1.ts'
import { createBytesInput, READY, type OutputStream } from '../host/wasi/streams.ts'
import { cgiResponse, wagiArguments, wagiEnvironment } from '../http/cgi.ts'
import { wholeBody, type Answer, type Execution, type Executor } from '../http/execution.ts'

// A program's output is held until it ends: its headers come first, and it may print anything.
const MAX_OUTPUT = 64 * 1024 * 1024

function createCollector(ledger: Ledger): OutputStream & { bytes(): Uint8Array } {
  // One block that grows: a program may print byte by byte.
  let block = new Uint8Array()
  let size = 0
  const grow = (least: number): void => {
    const next = Math.min(MAX_OUTPUT, Math.max(least, 2 * block.length, 4096))
    ledger.charge(next)
    const larger = new Uint8Array(next)
    larger.set(block.subarray(0, size))
    ledger.release(block.length)
    block = larger
  }
  return {
    pollable: READY,
    room: () => MAX_OUTPUT,
    write(bytes) {
      if (size + bytes.length > MAX_OUTPUT)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `the program prints more than ${MAX_OUTPUT} bytes`,
        )
      if (size + bytes.length > block.length) grow(size + bytes.length)
      block.set(bytes, size)
      size += bytes.length
    },
    close() {},
    bytes: () => block.subarray(0, size),
  }
}

interface Program {
  readonly args: readonly string[]
  readonly env: ReadonlyArray<readonly [string, string]>
  readonly stdin: Uint8Array
  readonly stdout: OutputStream
}

/** Runs a program over CGI; `run` resolves when it has returned. */
async function executeProgram(
  execution: Execution,
  argv: string,
  run: (program: Program) => Promise<unknown>,
): Promise<Answer> {
  const { request, signal, budget } = execution
  const stdin = wholeBody(execution)
  budget.charge(stdin.length)
  const stdout = createCollector(budget)
  const env = [...new Map([...wagiEnvironment(execution, stdin.length), ...execution.env])]
  let code = 0
  try {
    const result = await raceAbort(
      run({ args: wagiArguments(argv, execution), env, stdin, stdout }),
      signal,
    )
    if ((result as { tag?: unknown } | undefined)?.tag === 'err') code = 1
  } catch (error) {
    if (!isExitSignal(error)) throw error
    code = error.exitCode
  }
  if (code !== 0) throw new SpindleError('ERR_TRAP', `the program exited with ${code}`)
  const output = stdout.bytes()
  return {
    response: cgiResponse(output, request.method === 'HEAD'),
    finished: Promise.resolve(),
    held: output.length,
  }
}

/** `wasi_snapshot_preview1` of a program. */
function createProgramHost(
  { files, stderr, budget }: Execution,
  { args, env, stdin, stdout }: Program,
): CoreHost {
  const input = createBytesInput(stdin)
  return createPreview1({
    args,
    env,
    stdin: input,
    stdout,
    stderr: stderr(),
    files,
    ledger: budget,
  })
}

/** A core module with `_start`, as Spin before 3.2 pushed WAGI programs. */
export function createWagiModuleExecutor(module: WebAssembly.Module, argv: string): Executor {
  if (!moduleExports(module).has('_start'))
    throw new SpindleError('ERR_UNSUPPORTED', 'it exports no "_start": it is no WAGI program')
  return {
    kind: 'wagi',
    buffers: () => true,
    execute: (execution) =>
      executeProgram(execution, argv, async (program) => {
        const { jspi, budget, assertInTime } = execution
        const preview1 = createProgramHost(execution, program)
        const instance = await instantiateModule(module, {
          hosts: { wasi_snapshot_preview1: preview1.host, wasi_unstable: preview1.host },
          jspi,
          budget,
          assertInTime,
          attach: preview1.attach,
        })
        return instance.run('_start')
      }),
  }
}

/** The same as a component that exports `wasi:cli/run`: `name` is the export. */
export function createWagiComponentExecutor(
  compiled: CompiledComponent,
  name: string,
  argv: string,
): Executor {
  return {
    kind: 'wagi',
    buffers: () => true,
    execute: (execution) =>
      executeProgram(execution, argv, async (program) => {
        const { args, env, stdin, stdout } = program
        const cli = createCli({
          args,
          env,
          stdin: () => createBytesInput(stdin),
          stdout: () => stdout,
          stderr: execution.stderr,
        })
        const imports: HostImports = (wanted, dependency) => {
          if (dependency !== undefined) return execution.imports(wanted, dependency)
          const [base = ''] = wanted.split('@', 1)
          return execution.imports(wanted) !== undefined && Object.hasOwn(cli, base)
            ? cli[base]
            : execution.imports(wanted)
        }
        const { jspi, budget, assertInTime } = execution
        const preview1 = (dependency?: string): CoreHost =>
          dependency === undefined
            ? createProgramHost(execution, program)
            : execution.preview1(dependency)
        const options = { imports, preview1, jspi, budget, assertInTime }
        const instance = await instantiateComponent(compiled, options)
        try {
          return await instance.call([name, 'run'])
        } finally {
          instance.dispose()
        }
      }),
  }
}
