import type { FetchLike } from '../../types.ts'
import type { Budget } from '../budget.ts'
import type { CoreHost, HostImports } from '../component/abi/host-imports.ts'
import type { DirectoryNode } from '../host/wasi/file-system.ts'
import type { OutputStream } from '../host/wasi/streams.ts'
import type { RouteMatch } from './router.ts'

/** One request on its way to one instance of a component. */
export interface Execution {
  readonly request: Request
  readonly match: RouteMatch<unknown>
  readonly base: string
  /** `ip:port` */
  readonly clientAddress: string
  /** The request's host, as the component sees it. */
  readonly host: string
  /** In one piece for executors that buffer it. */
  readonly body: ReadableStream<Uint8Array> | Uint8Array | null
  /** The client's, and Spin's after them. */
  readonly headers: ReadonlyArray<readonly [string, string]>
  readonly jspi: boolean
  /** Memory budget of the instance and of the host on its behalf. */
  readonly budget: Budget
  /** Ends the guest: the client has left, or its time is over. */
  readonly signal: AbortSignal
  /** Throws the signal's reason, also where no timer fires: see `createDeadline`. */
  readonly assertInTime: () => void
  readonly imports: HostImports
  /** `wasi_snapshot_preview1` for one core module, of the component or of a dependency of it. */
  readonly preview1: (dependency?: string) => CoreHost
  /** For executors that don't go through `imports`. */
  readonly files: DirectoryNode | undefined
  readonly env: ReadonlyArray<readonly [string, string]>
  readonly stdout: () => OutputStream
  readonly stderr: () => OutputStream
  readonly send: FetchLike
}

export interface Answer {
  readonly response: Response
  /** Resolves when the guest has returned, which may be after its response has: with what ended it, if it failed. */
  readonly finished: Promise<unknown>
  /** Bytes of a buffered body that are not charged yet. */
  readonly held?: number
}

/** A component, compiled, that answers requests one instance each. */
export interface Executor {
  readonly kind: 'wasi-http' | 'inbound-http' | 'wagi'
  /** Whether it takes a request's body in one piece: without JSPI more of them do. */
  readonly buffers: (jspi: boolean) => boolean
  execute(execution: Execution): Promise<Answer>
}

/** The body for an executor that buffers it. */
export function wholeBody({ body }: Execution): Uint8Array {
  return body instanceof Uint8Array ? body : new Uint8Array()
}

/** Statuses for which `Response` rejects a body. */
export function hasNoBody(status: number): boolean {
  return [101, 103, 204, 205, 304].includes(status)
}

/** Statuses that `Response` accepts. */
export function isStatus(status: number): boolean {
  return status >= 200 && status <= 599
}
