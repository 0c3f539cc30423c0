import type { AsyncBuiltin, CanonOptions, Definition } from './model.ts'
import type { Reader } from './reader.ts'
import { readResult } from './read-types.ts'

/** One canonical definition: what makes component functions of core functions, or the other way. */
export function readCanon(r: Reader): Definition {
  const code = r.byte()
  switch (code) {
    case 0x00: {
      if (r.byte() !== 0) r.fail('unknown lift')
      const func = r.u32()
      const options = readOptions(r)
      return { kind: 'lift', func, options, type: r.u32() }
    }
    case 0x01:
      if (r.byte() !== 0) r.fail('unknown lower')
      return { kind: 'lower', func: r.u32(), options: readOptions(r) }
    case 0x02:
      return { kind: 'resource.new', type: r.u32() }
    case 0x03:
      return { kind: 'resource.drop', type: r.u32() }
    case 0x04:
      return { kind: 'resource.rep', type: r.u32() }
    default:
      return { kind: 'async builtin', builtin: readAsyncBuiltin(code, r) }
  }
}

function readAsyncBuiltin(code: number, r: Reader): AsyncBuiltin {
  switch (code) {
    case 0x05:
      return { op: 'task.cancel' }
    case 0x06:
      return { op: 'subtask.cancel', async: flag(r) }
    case 0x09:
      return { op: 'task.return', result: readResult(r), options: readOptions(r) }
    case 0x0a:
    case 0x0b: {
      if (r.byte() !== 0x7f) r.unsupported('context of another type than i32')
      const slot = r.u32()
      if (slot > 1) r.fail(`there is no context ${slot}`)
      return { op: code === 0x0a ? 'context.get' : 'context.set', slot }
    }
    case 0x0c:
      return { op: 'thread.yield', cancellable: flag(r) }
    case 0x0d:
      return { op: 'subtask.drop' }
    case 0x1f:
      return { op: 'waitable-set.new' }
    case 0x20:
    case 0x21:
      return {
        op: code === 0x20 ? 'waitable-set.wait' : 'waitable-set.poll',
        cancellable: flag(r),
        memory: r.u32(),
      }
    case 0x22:
      return { op: 'waitable-set.drop' }
    case 0x23:
      return { op: 'waitable.join' }
    case 0x24:
      return { op: 'backpressure.inc' }
    case 0x25:
      return { op: 'backpressure.dec' }
    default:
      if (code >= 0x0e && code <= 0x1b) return readTransfer(code, r)
      return r.unsupported(unsupportedBuiltin(code))
  }
}

/** Streams have the seven codes from 0x0e, futures the seven after them, in the same order. */
function readTransfer(code: number, r: Reader): AsyncBuiltin {
  const of = code < 0x15 ? 'stream' : 'future'
  const type = r.u32()
  switch ((code - 0x0e) % 7) {
    case 0:
      return { op: 'new', of, type }
    case 1:
      return { op: 'read', of, type, options: readOptions(r) }
    case 2:
      return { op: 'write', of, type, options: readOptions(r) }
    case 3:
      return { op: 'cancel-read', of, type, async: flag(r) }
    case 4:
      return { op: 'cancel-write', of, type, async: flag(r) }
    case 5:
      return { op: 'drop-readable', of, type }
    default:
      return { op: 'drop-writable', of, type }
  }
}

function unsupportedBuiltin(code: number): string {
  if (code >= 0x1c && code <= 0x1e) return 'error-context'
  if ((code >= 0x26 && code <= 0x2d) || (code >= 0x40 && code <= 0x42)) return 'threads'
  return `canonical built-in 0x${code.toString(16)}`
}

function flag(r: Reader): boolean {
  const value = r.byte()
  return value > 1 ? r.fail(`0x${value.toString(16)} is neither "no" nor "yes"`) : value === 1
}

function readOptions(r: Reader): CanonOptions {
  let encoding: CanonOptions['encoding'] | undefined
  const indices = new Map<number, number | undefined>()
  r.vector(() => {
    const code = r.byte()
    if (code > 0x07) return r.unsupported(`canonical option 0x${code.toString(16)}`)
    if (indices.has(code) || (code < 0x03 && encoding !== undefined))
      r.fail('canonical option given twice')
    if (code < 0x03) encoding = (['utf8', 'utf16', 'latin1+utf16'] as const)[code]
    indices.set(code, code >= 0x03 && code !== 0x06 ? r.u32() : undefined)
  })
  return {
    encoding: encoding ?? 'utf8',
    memory: indices.get(0x03),
    realloc: indices.get(0x04),
    postReturn: indices.get(0x05),
    async: indices.has(0x06),
    callback: indices.get(0x07),
  }
}
