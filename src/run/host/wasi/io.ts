import { SpindleError } from '../../../errors.ts'
import type { HostInterface } from '../../component/abi/items.ts'
import { err, ok, type Result } from './result.ts'
import {
  waitForAny,
  whenReady,
  type InputStream,
  type OutputStream,
  type Pollable,
} from './streams.ts'

/** What `wasi:io/error` carries. `httpCode` is for those who ask in terms of HTTP. */
export interface IoError {
  readonly message: string
  readonly httpCode?: unknown
}

const CLOSED = err({ tag: 'closed' })

function failed(error: unknown): Result {
  const message = error instanceof Error ? error.message : String(error)
  return err({ tag: 'last-operation-failed', val: { message } satisfies IoError })
}

// Bytes per read.
const MAX_AT_ONCE = 1024 * 1024

function bounded(length: bigint): number {
  return length > BigInt(MAX_AT_ONCE) ? MAX_AT_ONCE : Number(length)
}

function read(stream: InputStream, length: bigint): Result<Uint8Array> {
  try {
    const bytes = stream.read(bounded(length))
    return bytes === undefined ? (CLOSED as Result<Uint8Array>) : (ok(bytes) as Result<Uint8Array>)
  } catch (error) {
    return failed(error) as Result<Uint8Array>
  }
}

/** As many as are ever permitted at once: a stream that is told of fewer would lie to the guest. */
const MAX_ZEROES = 64 * 1024 * 1024

function zeroes(length: bigint): Uint8Array {
  if (length > MAX_ZEROES)
    throw new SpindleError('ERR_TRAP', `component trapped: it writes ${length} zeroes at once`)
  return new Uint8Array(Number(length))
}

function skip(stream: InputStream, length: bigint): Result {
  const result = read(stream, length)
  return result.tag === 'ok' ? ok(BigInt(result.val?.length ?? 0)) : result
}

function write(stream: OutputStream, bytes: Uint8Array): Result {
  const room = stream.room()
  if (room === undefined) return CLOSED
  if (bytes.length > room) {
    throw new SpindleError(
      'ERR_TRAP',
      `component trapped: it writes ${bytes.length} bytes where ${room} are permitted`,
    )
  }
  stream.write(bytes)
  return ok()
}

/** Writes all bytes, waiting while the stream is full, then until it is flushed. */
function writeAll(stream: OutputStream, bytes: Uint8Array): Result | Promise<Result> {
  return whenReady(stream.pollable, (): Result | Promise<Result> => {
    const room = stream.room()
    if (room === undefined) return CLOSED
    stream.write(bytes.subarray(0, room))
    return bytes.length > room ? writeAll(stream, bytes.subarray(room)) : flush(stream)
  }) as Result | Promise<Result>
}

function flush(stream: OutputStream): Result | Promise<Result> {
  return whenReady(stream.pollable, () => (stream.room() === undefined ? CLOSED : ok()))
}

function splice(output: OutputStream, input: InputStream, length: bigint): Result {
  const room = output.room()
  if (room === undefined) return CLOSED
  const most = length > BigInt(room) ? BigInt(room) : length
  const result = read(input, most)
  if (result.tag === 'err') return result
  output.write(result.val as Uint8Array)
  return ok(BigInt(result.val?.length ?? 0))
}

function poll(list: readonly Pollable[]): Uint32Array | number[] | Promise<number[]> {
  if (list.length === 0) throw new SpindleError('ERR_TRAP', 'component trapped: it polls nothing')
  const find = (): number[] => list.flatMap((pollable, i) => (pollable.ready() ? [i] : []))
  const any: Pollable = {
    ready: () => list.some((pollable) => pollable.ready()),
    wait: () => waitForAny(list),
  }
  return whenReady(any, find)
}

export const ioError: HostInterface = {
  functions: { '[method]error.to-debug-string': (error: IoError) => error.message },
}

export const ioPoll: HostInterface = {
  functions: {
    poll,
    // Names of the 2023 drafts.
    'poll-list': poll,
    'poll-one': (pollable: Pollable) => whenReady(pollable, () => undefined),
    '[resource-drop]pollable': (pollable: Pollable) => pollable.drop?.(),
    '[method]pollable.ready': (pollable: Pollable) => pollable.ready(),
    '[method]pollable.block': (pollable: Pollable) => whenReady(pollable, () => undefined),
  },
  waits: new Set(['poll', 'poll-list', 'poll-one', '[method]pollable.block']),
}

export const ioStreams: HostInterface = {
  functions: {
    ...ioError.functions,
    '[resource-drop]input-stream': (stream: InputStream) => stream.close(),
    '[method]input-stream.read': read,
    '[method]input-stream.blocking-read': (stream: InputStream, length: bigint) =>
      whenReady(stream.pollable, () => read(stream, length)),
    '[method]input-stream.skip': skip,
    '[method]input-stream.blocking-skip': (stream: InputStream, length: bigint) =>
      whenReady(stream.pollable, () => skip(stream, length)),
    '[method]input-stream.subscribe': (stream: InputStream) => stream.pollable,
    '[resource-drop]output-stream': (stream: OutputStream) => stream.close(),
    '[method]output-stream.check-write': (stream: OutputStream) => {
      const room = stream.room()
      return room === undefined ? CLOSED : ok(BigInt(room))
    },
    '[method]output-stream.write': write,
    '[method]output-stream.blocking-write-and-flush': writeAll,
    '[method]output-stream.flush': (stream: OutputStream) =>
      stream.room() === undefined ? CLOSED : ok(),
    '[method]output-stream.blocking-flush': flush,
    '[method]output-stream.subscribe': (stream: OutputStream) => stream.pollable,
    '[method]output-stream.write-zeroes': (stream: OutputStream, length: bigint) =>
      write(stream, zeroes(length)),
    '[method]output-stream.blocking-write-zeroes-and-flush': (
      stream: OutputStream,
      length: bigint,
    ) => writeAll(stream, zeroes(length)),
    '[method]output-stream.splice': splice,
    '[method]output-stream.blocking-splice': (
      output: OutputStream,
      input: InputStream,
      length: bigint,
    ) =>
      whenReady(output.pollable, () =>
        whenReady(input.pollable, () => splice(output, input, length)),
      ),
  },
  waits: new Set([
    '[method]input-stream.blocking-read',
    '[method]input-stream.blocking-skip',
    '[method]output-stream.blocking-write-and-flush',
    '[method]output-stream.blocking-flush',
    '[method]output-stream.blocking-write-zeroes-and-flush',
    '[method]output-stream.blocking-splice',
  ]),
}
