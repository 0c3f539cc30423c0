import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createAppHandler, type AppHandlerOptions, type LogLine } from '../../src/run/index.ts'
import {
  createWorkerHandler,
  runInWorker,
  type WorkerLike,
} from '../../src/run/web-worker/index.ts'
import type { FetchHandler } from '../../src/types.ts'
import { pulledApp } from '../run/fixtures.ts'
import { guest } from '../run/guests.ts'

afterEach(() => void vi.restoreAllMocks())

const WAGI = { executor: { type: 'wagi' } }

/** A WAGI component with so many core modules, each with a start function. */
function starter(count: number): Promise<Uint8Array> {
  return parse(`(component
    (core module $slow (func $s) (start $s))
    ${'(core instance (instantiate $slow))\n'.repeat(count)}
    (core module $main (func (export "run") (result i32) i32.const 0))
    (core instance $i (instantiate $main))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $inst (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $inst)))`)
}

/** A WAGI module that calls its host for ever, and never waits. */
const CALLER = `(module
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (loop $l (drop (call $yield)) (br $l))))`

async function start(
  wasm: Uint8Array,
  options: AppHandlerOptions,
  trigger: object = WAGI,
): Promise<{ ask: (path?: string) => Promise<number>; log: string[] }> {
  const log: string[] = []
  const handler: FetchHandler = await createAppHandler(
    pulledApp({ guest: { wasm } }, [{ route: '/...', component: 'guest', ...trigger }]),
    {
      onLog: ({ stream, text }: LogLine) => void (stream === 'host' && log.push(text)),
      ...options,
    },
  )
  const ask = async (path = '/'): Promise<number> =>
    (await handler.fetch(new Request(`http://app.example${path}`))).status
  return { ask, log }
}

const TIMEOUT = 'GET / failed: no response within 3000 ms (ERR_TIMEOUT)'

describe('the timeout of a request', () => {
  it('is kept between start functions, where no timer fires', async () => {
    const { ask, log } = await start(await starter(300), { timeout: 3000 })
    const instantiate = vi.spyOn(WebAssembly, 'instantiate')
    const begun = performance.now()
    // As if each took 0.2 s.
    vi.spyOn(performance, 'now').mockImplementation(
      () => begun + instantiate.mock.calls.length * 200,
    )
    expect(await ask()).toBe(500)
    expect(log).toEqual([TIMEOUT])
    expect(instantiate.mock.calls.length).toBe(15)
  })

  it('is kept while a guest calls its host without waiting', async () => {
    const { ask, log } = await start(await parse(CALLER), { timeout: 3000 })
    let now = performance.now()
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 10))
    expect(await ask()).toBe(500)
    expect(log).toEqual([TIMEOUT])
  })

  it('counts the time that a request queues', async () => {
    const { ask, log } = await start(guest('async'), { timeout: 200, concurrency: 1 }, {})
    const asked = ['/forever', '/hello'].map((path) => ask(path))
    expect(await Promise.all(asked)).toEqual([500, 500])
    expect(log.sort()).toEqual([
      'GET /forever failed: no response within 200 ms (ERR_TIMEOUT)',
      'GET /hello failed: no response within 200 ms (ERR_TIMEOUT)',
    ])
    // The place is free again.
    expect(await ask('/hello')).toBe(200)
  })
})

/** A Worker that is there and gives no turn to anybody, and one that works. */
function startWorker(isStuck: boolean): WorkerLike {
  const { port1, port2 } = new MessageChannel()
  if (!isStuck) runInWorker(port2 as Parameters<typeof runInWorker>[0])
  else {
    port2.onmessage = ({ data: { type, id } }) => {
      if (type === 'start') port2.postMessage({ type: 'ready' })
      // A loop that begins right after it has answered that it is there.
      if (type === 'ping') port2.postMessage({ type: 'pong' })
      if (type === 'request') port2.postMessage({ type: 'begun', id })
    }
  }
  return {
    postMessage: (message) => port1.postMessage(message),
    addEventListener(type, listener) {
      if (type === 'message') port1.addEventListener('message', listener as (event: Event) => void)
      port1.start()
    },
    terminate: () => port1.close(),
  }
}

describe('a Worker whose guest does not end in time', () => {
  const app = pulledApp({ guest: { wasm: guest('async') } }, [
    { route: '/...', component: 'guest' },
  ])

  it('is ended, also when it says that it is there', async () => {
    const log: string[] = []
    let started = 0
    const handler = await createWorkerHandler(app, {
      worker: () => startWorker(++started === 1),
      timeout: 200,
      onLog: ({ text }) => void log.push(text),
    })
    const ask = async (): Promise<number> =>
      (await handler.fetch(new Request('http://app.example/hello'))).status
    expect(await ask()).toBe(500)
    await expect.poll(() => started).toBe(2)
    expect(await ask()).toBe(200)
    expect(log).toEqual([
      'GET /hello failed: no response within 200 ms (ERR_TIMEOUT)',
      'a component kept its Worker busy for more than 200 ms and was ended',
    ])
    await handler.close()
  })

  it('goes on where it may be busy for longer, and the request is answered', async () => {
    let started = 0
    const handler = await createWorkerHandler(app, {
      worker: () => startWorker(++started === 1),
      timeout: 100,
      busyTimeout: 60_000,
    })
    const { status } = await handler.fetch(new Request('http://app.example/hello'))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect([status, started]).toEqual([500, 1])
    await handler.close()
  })
})
