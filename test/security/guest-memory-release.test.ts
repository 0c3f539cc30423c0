// What a request took is free when it is over: fifty that take all they may, one after the other.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { createAppHandler } from '../../src/run/index.ts'
import { createBodyPipe } from '../../src/run/host/wasi/body-pipe.ts'
import { pulledApp } from '../run/fixtures.ts'
import { hostileGuest, MiB, times } from '../run/hostile-guest.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const REQUESTS = 50

async function settled(): Promise<NodeJS.MemoryUsage> {
  // What ends in a later turn is gone after a few.
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    collect()
  }
  return process.memoryUsage()
}

it('keeps no more of what a guest passes on than it passes on', async () => {
  const { stream, output } = createBodyPipe({ buffered: true })
  const received = new Uint8Array(64 * 1024)
  output.write(received.subarray(0, 2048))
  const { value } = await stream.getReader().read()
  expect([value?.length, value?.buffer.byteLength]).toEqual([2048, 2048])
})

it(
  'leaves nothing behind of fifty requests that end beyond their budget',
  { timeout: 120_000 },
  async () => {
    const wasm = await hostileGuest({
      uses: ['fields', 'response', 'responseBody', 'bodyStream', 'write', 'timer'],
      pages: 20,
      code: `(drop (memory.grow (i32.const 300)))
      (memory.fill (i32.const 1024) (i32.const 65) (i32.const 20000000))
      ${times(1000, '(drop (call $timer (i64.const 1000000000000)))')}
      ${times(
        10,
        `(call $responseBody (call $response (call $fields)) (i32.const 0))
         (call $bodyStream (i32.load (i32.const 4)) (i32.const 0)) (local.set $s (i32.load (i32.const 4)))
         ${times(30, '(call $write (local.get $s) (i32.const 1024) (i32.const 1000000) (i32.const 0))', '$j')}`,
      )}`,
    })
    const handler = await createAppHandler(
      pulledApp({ guest: { wasm } }, [{ route: '/...', component: 'guest' }]),
      { maxMemory: 64 * MiB, jspi: false },
    )
    const ask = async (): Promise<number> =>
      (await handler.fetch(new Request('http://app.example/'))).status
    await ask()
    const before = await settled()
    for (let i = 0; i < REQUESTS; i++) {
      expect(await ask()).toBe(500)
      if (i % 10 === 9) await settled()
    }
    const after = await settled()
    // Fifty times 64 MiB would be 3 200.
    expect((after.heapUsed - before.heapUsed) / MiB).toBeLessThan(8)
    expect((after.arrayBuffers - before.arrayBuffers) / MiB).toBeLessThan(8)
    expect((after.rss - before.rss) / MiB).toBeLessThan(256)
  },
)
