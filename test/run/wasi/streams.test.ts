import { describe, expect, it } from 'vitest'
import { ioStreams } from '../../../src/run/host/wasi/io.ts'
import type { Result } from '../../../src/run/host/wasi/result.ts'
import { createBodyPipe } from '../../../src/run/host/wasi/body-pipe.ts'

const call = (name: string, ...args: unknown[]): unknown =>
  (ioStreams.functions[`[method]output-stream.${name}`] as (...args: unknown[]) => unknown)(...args)

describe('zeroes that a guest writes', () => {
  it.each(['write-zeroes', 'blocking-write-zeroes-and-flush'])(
    'all arrive, where they are permitted: %s',
    async (name) => {
      const { output, stream } = createBodyPipe({ buffered: true })
      const length = 3 * 1024 * 1024
      expect((call('check-write', output) as Result<bigint>).val).toBeGreaterThan(length)
      expect((call(name, output, BigInt(length)) as Result).tag).toBe('ok')
      output.close()
      expect((await new Response(stream).arrayBuffer()).byteLength).toBe(length)
    },
  )

  it('end the guest where they are not', () => {
    const { output } = createBodyPipe({ buffered: false })
    expect(() => call('write-zeroes', output, 100_000n)).toThrow(/where \d+ are permitted/)
    expect(() => call('write-zeroes', output, 2n ** 64n - 1n)).toThrow(/zeroes at once/)
  })
})
