import { expect, it } from 'vitest'
import {
  createWorkerHandler,
  runInWorker,
  type WorkerLike,
} from '../../src/run/web-worker/index.ts'
import { helloApp } from './fixtures.ts'

interface TestWorker extends WorkerLike {
  fail(message: string): void
}

/** A Worker in this thread; one that can't be loaded says so, as a browser does. */
function startWorker(isThere: boolean): TestWorker {
  const { port1, port2 } = new MessageChannel()
  let fail = (_: { message: string }): void => {}
  if (isThere) runInWorker(port2 as Parameters<typeof runInWorker>[0])
  else setTimeout(() => fail({ message: 'its file is out of reach' }))
  return {
    postMessage: (message) => port1.postMessage(message),
    addEventListener(type, listener) {
      if (type === 'error') fail = listener
      else port1.addEventListener('message', listener as (event: Event) => void)
      port1.start()
    },
    terminate: () => port1.close(),
    fail: (message) => fail({ message }),
  }
}

it('an application whose Worker could not be started again answers once it can', async () => {
  const workers: TestWorker[] = []
  const lines: string[] = []
  let isThere = true
  const handler = await createWorkerHandler(helloApp(), {
    worker() {
      const worker = startWorker(isThere)
      workers.push(worker)
      return worker
    },
    onLog: ({ stream, text }) => void (stream === 'host' && lines.push(text)),
  })
  const ask = async (): Promise<number> =>
    (await handler.fetch(new Request('http://app.example/hello/world'))).status

  expect(await ask()).toBe(200)
  isThere = false
  workers[0]?.fail('out of memory')
  // The first in the very turn in which it failed.
  expect([await ask(), await ask()]).toEqual([500, 500])
  isThere = true
  expect([await ask(), await ask()]).toEqual([200, 200])
  expect(lines).toEqual([
    'the Worker that runs the application failed: out of memory',
    'the Worker that runs the application failed: its file is out of reach',
    'the Worker that runs the application failed: its file is out of reach',
  ])
  expect(workers).toHaveLength(4)
  await handler.close()
  expect(await ask()).toBe(500)
})
