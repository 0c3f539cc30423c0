import { concat } from '../../bytes/stream.ts'
import { SpindleError } from '../../errors.ts'
import { createReader } from './reader.ts'

const PAGE = 65_536
const MEMORY_SECTION = 5

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(Math.floor(value / 0x80))]
}

/**
 * A core module whose own memories can't grow beyond `maxBytes`: their declared maximum is lowered.
 *
 * The engine then refuses to grow, as it would at any limit, and the guest sees that it is out of
 * memory. Throws `ERR_LIMIT_EXCEEDED` when the module needs more to begin with.
 */
export function limitMemory(module: Uint8Array, maxBytes: number): Uint8Array {
  const most = Math.floor(maxBytes / PAGE)
  const r = createReader(module)
  r.bytes(8)
  while (!r.done) {
    const start = r.offset
    const id = r.byte()
    const section = r.slice(r.u32())
    if (id !== MEMORY_SECTION) continue
    const memories = section.vector(() => {
      const flags = section.byte()
      // Shared, 64-bit and custom pages: components have none, and engines differ on them.
      if (flags > 1) section.unsupported('shared or 64-bit memory')
      const least = section.u32()
      const declared = flags === 1 ? section.u32() : most
      if (least > most) {
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `the module needs ${least * PAGE} bytes of memory, more than the limit of ${maxBytes}`,
        )
      }
      return [1, ...leb(least), ...leb(Math.min(declared, most))]
    })
    const body = [...leb(memories.length), ...memories.flat()]
    return concat([
      module.subarray(0, start),
      Uint8Array.from([id, ...leb(body.length), ...body]),
      module.subarray(r.offset),
    ])
  }
  return module
}
