import type { Ledger } from '../../budget.ts'
import type { HostInterface } from '../../component/abi/items.ts'
import type { ExitSignal } from './cli.ts'
import { monotonicNow } from './clocks.ts'
import type { DirectoryNode } from './file-system.ts'
import type { OpenFile } from './preview1-descriptor.ts'
import { createFileFunctions } from './preview1-files.ts'
import { createGuestMemory, createStrings, ERRNO } from './preview1-memory.ts'
import { createPoll } from './preview1-poll.ts'
import { randomBytes } from './random.ts'
import { FREE, type InputStream, type OutputStream } from './streams.ts'

interface Preview1Options {
  readonly env: ReadonlyArray<readonly [string, string]>
  readonly args: readonly string[]
  /** Complete input: this ABI cannot report that more will follow. */
  readonly stdin: InputStream
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly files: DirectoryNode | undefined
  /** Charged for the encoded arguments and environment. */
  readonly ledger?: Ledger
}

/** `wasi_snapshot_preview1` for one core module. */
interface Preview1 {
  readonly host: HostInterface
  /** Sets the module's memory; call it before the first host call. */
  attach(memory: WebAssembly.Memory): void
}

/** Preview1 over the same file system as WASI 0.2: one read-only mount at `/`. */
export function createPreview1(options: Preview1Options): Preview1 {
  let memory: WebAssembly.Memory | undefined
  const files: Array<OpenFile | undefined> = [
    { kind: 'in', stream: options.stdin },
    { kind: 'out', stream: options.stdout },
    { kind: 'out', stream: options.stderr },
    ...(options.files === undefined
      ? []
      : [{ kind: 'node' as const, node: options.files, preopen: true, position: 0 }]),
  ]
  const guest = createGuestMemory(() => memory)
  const { bytes, u64 } = guest
  const { ledger = FREE } = options

  const args = createStrings(guest, () => options.args, ledger)
  const env = createStrings(
    guest,
    () => options.env.map(([name, value]) => `${name}=${value}`),
    ledger,
  )

  const unsupported = (): number => ERRNO.notsup

  return {
    attach(given) {
      memory = given
    },
    host: {
      waits: new Set(['poll_oneoff']),
      functions: {
        args_sizes_get: args.sizes,
        args_get: args.get,
        environ_sizes_get: env.sizes,
        environ_get: env.get,
        clock_res_get(_: number, out: number) {
          u64(out, 1_000_000n)
          return ERRNO.success
        },
        clock_time_get(id: number, _: bigint, out: number) {
          u64(out, id === 0 ? BigInt(Date.now()) * 1_000_000n : monotonicNow())
          return ERRNO.success
        },
        random_get(at: number, length: number) {
          bytes(at, length).set(randomBytes(length >>> 0))
          return ERRNO.success
        },
        proc_exit(exitCode: number) {
          throw { exitCode } satisfies ExitSignal
        },
        proc_raise: unsupported,
        sched_yield: () => ERRNO.success,
        ...createFileFunctions(guest, files),
        poll_oneoff: createPoll(guest),
        sock_accept: unsupported,
        sock_recv: unsupported,
        sock_send: unsupported,
        sock_shutdown: unsupported,
      },
    },
  }
}
