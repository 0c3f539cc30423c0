// Guests that fail after they have set their response: whoever asked gets its head and what was
// written, and then learns that it broke off.
import { describe, expect, it } from 'vitest'
import { hasJspi } from '../../src/run/component/abi/jspi.ts'
import { createBodyPipe } from '../../src/run/host/wasi/body-pipe.ts'
import { createPortHandler, answerPort } from '../../src/run/web-worker/port.ts'
import type { FetchHandler } from '../../src/types.ts'
import { guest, run } from './guests.ts'

/** What can be read of a response, and whether it broke off. */
async function read(response: Response): Promise<[number, string, 'ended' | 'broke off']> {
  let text = ''
  const reader = (response.body as ReadableStream<Uint8Array>)
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return [response.status, text, 'ended']
      text += value
    }
  } catch {
    return [response.status, text, 'broke off']
  }
}

const GUESTS = [
  ['of WASI 0.2 that traps', 'proxy', '/late-trap', 'before'],
  ['of WASI 0.2 that leaves its body open', 'proxy', '/unfinished', 'half'],
  ['of a draft that traps', 'proxy-draft', '/late-trap', 'before'],
  ['of WASI 0.3 that traps', 'async', '/late-trap', 'before'],
  ['of WASI 0.3 that leaves its body open', 'async', '/unfinished', 'before'],
  ['of WASI 0.3 that says it broke', 'async', '/broken', 'before'],
] as const

describe.each([false, ...(hasJspi() ? [true] : [])])('where guests may wait: %s', (jspi) => {
  it.each(GUESTS)('a guest %s', async (_, name, path, written) => {
    const app = await run({ wasm: guest(name) }, { jspi })
    const requests = [undefined, { method: 'POST', body: 'x'.repeat(100_000) }]
    for (const init of requests)
      expect(await read(await app.get(path, init))).toEqual([200, written, 'broke off'])
  })

  it('the same at the other end of a port', async () => {
    const app = await run({ wasm: guest('proxy') }, { jspi })
    const { port1, port2 } = new MessageChannel()
    const inner: FetchHandler = { fetch: ({ url }) => app.get(new URL(url).pathname) }
    answerPort(port1, inner)
    const handler = createPortHandler(port2)
    const response = await handler.fetch(new Request('http://app.example/late-trap'))
    expect(await read(response)).toEqual([200, 'before', 'broke off'])
    port1.close()
    port2.close()
  })
})

it('a guest that sets none, or fails before, is answered with 500', async () => {
  const app = await run({ wasm: guest('proxy') })
  for (const path of ['/none', '/trap', '/error', '/exit'])
    expect((await app.get(path)).status).toBe(500)
})

describe('a body that breaks off', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

  it('gives all that was written, read before or after, then why it ended', async () => {
    for (const readBefore of [0, 1, 2]) {
      const { stream, output, breakOff } = createBodyPipe({ buffered: false })
      const reader = stream.getReader()
      const reads = Array.from({ length: readBefore }, () => reader.read())
      output.write(bytes('a'.repeat(2000)))
      output.write(bytes('b'.repeat(2000)))
      breakOff(new Error('trap'))
      while (reads.length < 2) reads.push(reader.read())
      const chunks = await Promise.all(reads)
      expect(chunks.map(({ value }) => value?.length)).toEqual([2000, 2000])
      await expect(reader.read()).rejects.toThrow('trap')
    }
  })

  it('takes nothing more, and lets a writer that waits go', async () => {
    const { output, breakOff } = createBodyPipe({ buffered: false })
    output.write(bytes('a'.repeat(64 * 1024)))
    expect(output.pollable.ready()).toBe(false)
    const woken = output.pollable.wait()
    breakOff(new Error('trap'))
    await woken
    expect(output.room()).toBe(undefined)
  })
})
