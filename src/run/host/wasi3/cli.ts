import type { Ledger } from '../../budget.ts'
import { createHostFuture } from '../../component/async/host-transfer.ts'
import type { HostInterface } from '../../component/abi/items.ts'
import type { Readable } from '../../component/abi/transfer.ts'
import { createCli, type CliOptions } from '../wasi/cli.ts'
import { ok } from '../wasi/result.ts'
import { whenReady, type OutputStream } from '../wasi/streams.ts'
import { drain, streamOf } from './transfers.ts'

// Overhead of one output stream until it ends, such as its decoder.
const PRINTING_BYTES = 4096

/** `wasi:cli` 0.3: streams instead of handles to read and write. */
export function createCli3(
  options: CliOptions,
  ledger: Ledger,
): Readonly<Record<string, HostInterface>> {
  const older = createCli(options)
  const environment = older['wasi:cli/environment'] as HostInterface
  const output = (open: () => OutputStream): HostInterface => ({
    functions: {
      'write-via-stream': (data: Readable) => {
        ledger.charge(PRINTING_BYTES)
        const stream = open()
        // Lines already received are logged even when the guest traps.
        const written = drain(
          data,
          (bytes) => whenReady(stream.pollable, () => stream.write(bytes)),
          ledger,
        ).finally(() => {
          ledger.release(PRINTING_BYTES)
          stream.close()
        })
        const outcome = written.then(() => ok())
        // A guest that traps aborts the stream and usually never reads the outcome.
        outcome.catch(() => {})
        return createHostFuture(outcome)
      },
    },
  })
  return {
    ...older,
    'wasi:cli/types': { functions: {} },
    'wasi:cli/environment': {
      functions: { ...environment.functions, 'get-initial-cwd': () => undefined },
    },
    'wasi:cli/stdin': { functions: { 'read-via-stream': () => streamOf(options.stdin()) } },
    'wasi:cli/stdout': output(options.stdout),
    'wasi:cli/stderr': output(options.stderr),
  }
}
