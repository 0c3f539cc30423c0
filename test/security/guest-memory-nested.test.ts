// Components that send each other requests which nobody waits for, or with bodies that fill the host.
import { describe, expect, it } from 'vitest'
import { createReceiver } from '../../src/run/http/receive-body.ts'
import { createBudget } from '../../src/run/budget.ts'
import { createAppHandler } from '../../src/run/index.ts'
import { guest } from '../run/guests.ts'
import { pulledApp } from '../run/fixtures.ts'
import { MiB } from '../run/hostile-guest.ts'
import { itWaits, expectNoWaiting } from '../run/waiting.ts'

const never = (): Promise<never> => new Promise(() => {})

/** Two components: `outer` may ask `inner`, which may ask `up.example`. */
async function start(outer: string, options = {}) {
  const log: Array<{ readonly text: string }> = []
  const asked: Request[] = []
  const component = (name: string, host: string) => ({
    wasm: guest(name),
    metadata: { allowed_outbound_hosts: [host], allowed_http_hosts: [host] },
  })
  const handler = await createAppHandler(
    pulledApp(
      {
        outer: component(outer, 'http://inner.spin.internal'),
        inner: component('async', 'http://up.example'),
      },
      [
        { route: '/...', component: 'outer' },
        { route: { private: true }, component: 'inner' },
      ],
    ),
    {
      concurrency: 1,
      timeout: 500,
      onLog: (line) => log.push(line),
      fetch: (request) => {
        asked.push(request)
        return never()
      },
      ...options,
    },
  )
  const get = (path: string, init?: RequestInit): Promise<Response> =>
    handler.fetch(new Request(`http://app.example${path}`, init))
  return { get, asked, log }
}

describe('a request between components', () => {
  it('ends with the one that it was sent for', async () => {
    const app = await start('async')
    expect((await app.get('/outbound/inner.spin.internal/outbound/up.example/')).status).toBe(500)
    expect(app.asked.map(({ signal }) => signal.aborted)).toEqual([true])
    // Its place is free.
    expect((await app.get('/hello')).status).toBe(200)
  })

  itWaits(
    'ends so in the older interface, too',
    async () => {
      const app = await start('legacy')
      const path = '/out/http://inner.spin.internal/outbound/up.example/'
      expect((await app.get(path)).status).toBe(500)
      await new Promise((resolve) => setTimeout(resolve))
      expect(app.asked.map(({ signal }) => signal.aborted)).toEqual([true])
    },
    async () => expectNoWaiting(await start('legacy'), '/out/http://inner.spin.internal/hello'),
  )
})

describe('a body that a component sends to another', () => {
  const request = (bytes: number): Request =>
    new Request('http://app.example/', { method: 'POST', body: new Uint8Array(bytes) })
  const { signal } = new AbortController()

  it('is paid by the request that it is sent for', async () => {
    const budget = createBudget(8 * MiB)
    const receiver = createReceiver(64 * MiB)
    const held = await receiver.receive(request(6 * MiB), signal, budget)
    expect(budget.held).toBe(6 * MiB)
    await expect(receiver.receive(request(6 * MiB), signal, budget)).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
    held.release()
    expect(budget.held).toBe(0)
  })

  it('takes nothing away from clients', async () => {
    const receiver = createReceiver(8 * MiB)
    let finish = (): void => {}
    const slow = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(6 * MiB))
        finish = () => controller.close()
      },
    })
    const client = receiver.receive(
      new Request('http://app.example/', { method: 'POST', body: slow, duplex: 'half' } as never),
      signal,
    )
    await receiver.receive(request(6 * MiB), signal, createBudget())
    finish()
    expect((await client).bytes).toHaveLength(6 * MiB)
  })
})
