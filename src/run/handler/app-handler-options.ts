import type { Policy } from '../../trust/policy/policy.ts'
import type { FetchLike, Verifier } from '../../types.ts'
import type { HostInterface } from '../component/abi/items.ts'
import type { Compile } from '../component/compile.ts'
import type { OnLog } from '../host/logs.ts'
import type { KeyValueStore } from '../host/spin/key-value-store.ts'
import type { OpenSqlite, SqliteDatabase } from '../host/spin/sqlite-database.ts'

/** The default of `clientAddress`; also what Spin reports for a request from another component. */
export const UNKNOWN_ADDRESS = '0.0.0.0:0'

export interface AppHandlerOptions {
  /** Runs nothing that this refuses; for what was pulled, whose digest it is asked about. See `createVerifier`. */
  readonly verify?: Verifier | Policy
  /** Values of the application's variables; required ones must be among them. */
  readonly variables?: Readonly<Record<string, string>>
  /** How components reach the network, as far as `allowed_outbound_hosts` lets them. Default: the global `fetch`. */
  readonly fetch?: FetchLike
  /** Stores by label, or a function of the label. Default: one in memory for `default`, none for others. */
  readonly keyValue?:
    Readonly<Record<string, KeyValueStore>> | ((label: string) => KeyValueStore | undefined)
  /** What opens SQLite databases, by label, such as `createSqliteWasm(…)`, or a function of the label. Default: none, and a call is refused. */
  readonly sqlite?: Readonly<Record<string, () => SqliteDatabase>> | OpenSqlite
  /** Interfaces of your own, such as `fermyon:spin/redis@2.0.0`; with or without the version. They win over built-in ones. */
  readonly interfaces?: Readonly<Record<string, HostInterface>>
  /** For runtimes that forbid compiling: gives the module bound at build time, by its bytes or their sha256. */
  readonly compile?: Compile
  /**
   * Called for each line that a component prints, and with stream `host` for what went wrong around it.
   * What prints faster than the Promises resolve that it gives, waits.
   */
  readonly onLog?: OnLog
  /**
   * Milliseconds from a request's arrival until its response begins: queueing, receiving its body,
   * instantiating and running count, sending the body of the response does not. Default: none. A guest
   * that neither waits nor calls its host can't be interrupted: see `createWorkerHandler`.
   */
  readonly timeout?: number
  /**
   * Guests at once; further requests queue. Default 64. A guest that waits for its client, for more of
   * the request's body or until it reads on, does not count; there are as many again of those, and for
   * one more the one that waits for the longest is ended, with 408 if it has no response yet.
   */
  readonly concurrency?: number
  /**
   * Bytes that one request may take in all: memories and tables of its instances, and what they make
   * the host hold. Default 512 MiB. Of modules from `compile` only those of `splitComponent` count.
   */
  readonly maxMemory?: number
  /** `ip:port` of who sent a request. Default `0.0.0.0:0`. */
  readonly clientAddress?: (request: Request) => string
  /** Keeps the platform alive until a guest has returned, as `ctx.waitUntil` in a Worker; with the request from outside. */
  readonly waitUntil?: (work: Promise<unknown>, request: Request) => void
  /** Whether guests may wait. Default: whether the engine has JSPI. */
  readonly jspi?: boolean
}
