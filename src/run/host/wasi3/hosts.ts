import type { FetchLike } from '../../../types.ts'
import type { Budget } from '../../budget.ts'
import type { HostInterface } from '../../component/abi/items.ts'
import type { CliOptions } from '../wasi/cli.ts'
import type { DirectoryNode } from '../wasi/file-system.ts'
import { insecureRandom, insecureSeed, random } from '../wasi/random.ts'
import { err } from '../wasi/result.ts'
import { createCli3 } from './cli.ts'
import { clocks3 } from './clocks.ts'
import { createFilesystem3 } from './filesystem.ts'
import { createClient } from './http-client.ts'
import { createHttpTypes3 } from './http-types.ts'

interface Hosts3Options {
  readonly budget: Budget
  readonly cli: CliOptions
  readonly files: DirectoryNode | undefined
  readonly send: FetchLike
}

const denied = (): unknown => err({ tag: 'access-denied' })

/** The WASI 0.3 interfaces that a component can import, by name without version. */
export function createHosts3({
  budget,
  cli,
  files,
  send,
}: Hosts3Options): Readonly<Record<string, HostInterface>> {
  return {
    ...createCli3(cli, budget),
    ...clocks3,
    ...createFilesystem3(files),
    'wasi:random/random': random,
    'wasi:random/insecure': insecureRandom,
    'wasi:random/insecure-seed': {
      functions: {
        ...insecureSeed.functions,
        'get-insecure-seed': insecureSeed.functions['insecure-seed'] as () => unknown,
      },
    },
    'wasi:http/types': createHttpTypes3(budget),
    'wasi:http/client': createClient(send, budget),
    // Linkable, but every call is denied.
    'wasi:sockets/types': {
      functions: { '[static]tcp-socket.create': denied, '[static]udp-socket.create': denied },
    },
    'wasi:sockets/ip-name-lookup': { functions: { 'resolve-addresses': denied } },
  }
}
