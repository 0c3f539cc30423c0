// Requests to the network that outlive their guest, or whose bodies are in memory until they are sent.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createBudget } from '../../src/run/budget.ts'
import { createAppHandler } from '../../src/run/index.ts'
import { sendRequest } from '../../src/run/host/wasi/http-outgoing.ts'
import { pulledApp } from '../run/fixtures.ts'
import { hostileGuest3, MiB } from '../run/hostile-guest.ts'
import { CANT_WAIT, itWaits } from '../run/waiting.ts'

const HTTP = 'wasi:http/types@0.3.0'

/** Asks `up.example`, and stands still until it answers. */
const asking = (): Promise<Uint8Array> =>
  hostileGuest3({
    imports: [
      `"${HTTP}" "[constructor]fields" (func $fields (result i32))`,
      `"${HTTP}" "[static]request.new" (func $request (param i32 i32 i32 i32 i32 i32 i32))`,
      `"${HTTP}" "[future-new-1][static]request.new" (func $trailers (result i64))`,
      `"${HTTP}" "[method]request.set-authority" (func $authority (param i32 i32 i32 i32) (result i32))`,
      `"wasi:http/client@0.3.0" "send" (func $send (param i32 i32))`,
    ],
    code: `(i64.store (i32.const 512) (i64.const 0x706d6178652e7075)) (i32.store (i32.const 520) (i32.const 0x656c))
      (local.set $l (call $trailers))
      (call $request (call $fields) (i32.const 0) (i32.const 0) (i32.wrap_i64 (local.get $l))
        (i32.const 0) (i32.const 0) (i32.const 16))
      (local.set $r (i32.load (i32.const 16)))
      (drop (call $authority (local.get $r) (i32.const 1) (i32.const 512) (i32.const 10)))
      (call $send (local.get $r) (i32.const 32))`,
  })

async function ask() {
  const asked: Request[] = []
  const log: string[] = []
  const metadata = { allowed_outbound_hosts: ['https://up.example'] }
  const handler = await createAppHandler(
    pulledApp({ guest: { wasm: await asking(), metadata } }, [
      { route: '/...', component: 'guest' },
    ]),
    {
      timeout: 1000,
      onLog: ({ text }) => void log.push(text),
      fetch: (request) => {
        asked.push(request)
        return new Promise(() => {})
      },
    },
  )
  const { status } = await handler.fetch(new Request('http://app.example/'))
  return { status, asked, log: log.join('\n') }
}

describe('a request that a guest of WASI 0.3 stands still for', () => {
  itWaits(
    'is aborted when the guest has ended',
    async () => {
      const { status, asked } = await ask()
      expect(status).toBe(500)
      expect(asked.map(({ signal }) => signal.aborted)).toEqual([true])
    },
    async () => {
      const { status, log } = await ask()
      expect(status).toBe(500)
      expect(log).toMatch(CANT_WAIT)
    },
  )
})

/** Requests as engines have them that make text of a stream. */
class WholeRequest extends Request {
  constructor(input: RequestInfo | URL, init?: RequestInit) {
    const isStream = init?.body instanceof ReadableStream
    super(input, isStream ? { ...init, body: String(init.body) } : init)
  }
}

describe('a body, where requests take no streams', () => {
  afterEach(() => void vi.unstubAllGlobals())

  const send = (bytes: number, budget: ReturnType<typeof createBudget>) => {
    vi.stubGlobal('Request', WholeRequest)
    let held = 0
    let left = bytes
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(MiB))
        if ((left -= MiB) <= 0) controller.close()
      },
    })
    const sending = sendRequest(
      async () => {
        held = budget.held
        return new Response()
      },
      new URL('https://a.test/'),
      { method: 'POST', headers: [], body, firstByte: undefined },
      budget,
    )
    return { settled: sending?.settled, held: () => held }
  }

  it('is charged until it is sent', async () => {
    const budget = createBudget(64 * MiB)
    const { settled, held } = send(8 * MiB, budget)
    expect(await settled).toMatchObject({ tag: 'ok' })
    expect(held()).toBeGreaterThanOrEqual(8 * MiB)
    expect(budget.held).toBe(0)
  })

  it('ends its guest beyond the budget', async () => {
    const budget = createBudget(8 * MiB)
    const exceeded = vi.fn()
    budget.onExceeded = exceeded
    const { settled, held } = send(32 * MiB, budget)
    expect(await settled).toMatchObject({ tag: 'err' })
    expect(held()).toBe(0)
    expect(exceeded).toHaveBeenCalled()
    expect(budget.held).toBe(0)
  })
})
