import { beginCall } from '../abi/canon.ts'
import type { CanonContext, Codec, Instance } from '../abi/model.ts'
import { standStill } from '../abi/jspi.ts'
import { trap } from '../abi/runtime.ts'
import {
  COMPLETED,
  createEnd,
  createGuestBuffer,
  createPipe,
  DROPPED,
  endAt,
  transferKey,
  type Copy,
  type CopyResult,
  type End,
  type Pipe,
} from '../abi/transfer.ts'
import {
  announce,
  BLOCKED,
  FUTURE_READ,
  FUTURE_WRITE,
  join,
  STREAM_READ,
  STREAM_WRITE,
  takeEvent,
  untilEvent,
} from '../abi/waitable.ts'

/** A stream or future type, by what its built-ins need to know. */
export interface TransferType {
  readonly kind: 'stream' | 'future'
  readonly element: Codec | undefined
}

type Side = 'readable end' | 'writable end'

function codeOf(kind: TransferType['kind'], side: Side): number {
  if (kind === 'stream') return side === 'readable end' ? STREAM_READ : STREAM_WRITE
  return side === 'readable end' ? FUTURE_READ : FUTURE_WRITE
}

function keyOf({ kind, element }: TransferType): string {
  return transferKey(kind, element)
}

/** `stream.new`, `future.new`: the readable end in the lower 32 bits, the writable one above. */
export function createTransfer(instance: Instance, type: TransferType): bigint {
  const pipe = createPipe(type.kind)
  const readable = instance.handles.add(createEnd('readable end', keyOf(type), pipe))
  const writable = instance.handles.add(createEnd('writable end', keyOf(type), pipe))
  return BigInt(readable) | (BigInt(writable) << 32n)
}

/** `{stream,future}.{read,write}`. Of a future one item passes. */
export function copy(
  context: CanonContext,
  type: TransferType,
  side: Side,
  index: number,
  pointer: number,
  length: number,
): number | Promise<number> {
  const { instance } = context
  const { store } = instance
  const end = endAt(instance, index, side, keyOf(type))
  if (end.state !== 'idle') trap(`an end is used that is ${end.state}`)
  if (end.set !== undefined && !context.async)
    trap('an end of a waitable set is used synchronously')
  const code = codeOf(type.kind, side)
  const buffer = createGuestBuffer(beginCall(context), type.element, pointer, length)
  const tell = (result: CopyResult, reclaim?: () => void): void =>
    announce(store, end, () => {
      reclaim?.()
      const over = result === DROPPED || (type.kind === 'future' && result === COMPLETED)
      end.state = over ? 'done' : 'idle'
      return [code, index, type.kind === 'stream' ? result | (buffer.progress << 4) : result]
    })
  const begun: Copy = {
    buffer,
    some: (reclaim) => tell(COMPLETED, reclaim),
    done: (result) => tell(result),
  }
  end.state = 'copying'
  end.copy = begun
  if (side === 'readable end') end.pipe.read(begun)
  else (end.pipe as Pipe).write(begun)
  return outcome(
    instance,
    end,
    context.async,
    `${type.kind}.${side === 'readable end' ? 'read' : 'write'}`,
  )
}

function outcome(
  { store }: Instance,
  end: End,
  isAsync: boolean,
  name: string,
): number | Promise<number> {
  if (end.event !== undefined) return takeEvent(end)[2]
  if (isAsync) return BLOCKED
  return standStill(store, name, () => untilEvent(store, end).then((event) => event[2]))
}

/** `{stream,future}.cancel-{read,write}`. */
export function cancelCopy(
  instance: Instance,
  type: TransferType,
  side: Side,
  index: number,
  isAsync: boolean,
): number | Promise<number> {
  const end = endAt(instance, index, side, keyOf(type))
  if (end.state !== 'copying' || end.awaited) trap('nothing of an end is to be cancelled')
  if (end.set !== undefined && !isAsync) trap('an end of a waitable set is cancelled synchronously')
  end.state = 'cancelling'
  // Also when some items have passed: more could, until the guest is told.
  if (end.copy !== undefined) end.pipe.cancel(end.copy)
  return outcome(instance, end, isAsync, `${type.kind}.cancel`)
}

/** `{stream,future}.drop-{readable,writable}`. */
export function dropEnd(instance: Instance, type: TransferType, side: Side, index: number): void {
  const end = endAt(instance, index, side, keyOf(type))
  if (end.state === 'copying' || end.state === 'cancelling') trap('an end is dropped that copies')
  if (type.kind === 'future' && side === 'writable end' && end.state !== 'done')
    trap('a future is dropped that nobody has written')
  join(end, undefined)
  instance.handles.remove(index)
  end.pipe.drop()
}
