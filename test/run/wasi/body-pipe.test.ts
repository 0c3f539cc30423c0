import fc from 'fast-check'
import { expect, it } from 'vitest'
import { concat } from '../../../src/bytes/stream.ts'
import { createBodyPipe } from '../../../src/run/host/wasi/body-pipe.ts'

/** A ledger that says what it holds. */
function createLedger() {
  let held = 0
  return {
    charge: (bytes: number) => void (held += bytes),
    release: (bytes: number) => void (held -= bytes),
    held: () => held,
  }
}

/** Writes, and reads of the other side between them: how many bytes, or `read`. */
const steps = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 2000 }),
    fc.integer({ min: 0, max: 20_000 }),
    fc.constant('read' as const),
  ),
  { maxLength: 60 },
)

it('gives its reader the bytes that were written, whatever their pieces, and holds nothing then', () =>
  fc.assert(
    fc.asyncProperty(steps, fc.boolean(), async (actions, buffered) => {
      const ledger = createLedger()
      const { stream, output } = createBodyPipe({ buffered, ledger })
      const reader = stream.getReader()
      const reads: Promise<ReadableStreamReadResult<Uint8Array>>[] = []
      const written: Uint8Array[] = []
      let at = 0
      for (const action of actions) {
        if (action === 'read') {
          reads.push(reader.read())
          await Promise.resolve()
          continue
        }
        const bytes = new Uint8Array(action).map(() => at++ % 251)
        output.write(bytes)
        written.push(bytes)
      }
      output.close()
      const chunks: Uint8Array[] = []
      for (const { value } of await Promise.all(reads)) if (value !== undefined) chunks.push(value)
      for (let next = await reader.read(); !next.done; next = await reader.read())
        chunks.push(next.value)
      expect(Buffer.compare(concat(chunks), concat(written))).toBe(0)
      expect(ledger.held()).toBe(0)
    }),
    { numRuns: 300 },
  ))
