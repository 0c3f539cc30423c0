import { createHostFuture } from '../component/host-transfer.ts'
import type { HostInterface } from '../component/items.ts'
import type { Readable } from '../component/transfer.ts'
import { createCli, type CliOptions } from '../wasi/cli.ts'
import { ok } from '../wasi/result.ts'
import { whenReady, type OutputStream } from '../wasi/streams.ts'
import { drain, streamOf } from './transfers.ts'

/** `wasi:cli` 0.3: streams instead of handles to read and write. */
export function createCli3(options: CliOptions): Readonly<Record<string, HostInterface>> {
  const older = createCli(options)
  const environment = older['wasi:cli/environment'] as HostInterface
  const output = (open: () => OutputStream): HostInterface => ({
    functions: {
      'write-via-stream': (data: Readable) => {
        const stream = open()
        // Lines that have come are logged even when the guest ends in a trap.
        const written = drain(data, (bytes) =>
          whenReady(stream.pollable, () => stream.write(bytes)),
        ).finally(() => stream.close())
        return createHostFuture(written.then(() => ok()))
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
