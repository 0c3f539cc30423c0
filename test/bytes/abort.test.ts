import { getEventListeners } from 'node:events'
import process from 'node:process'
import { expect, it, onTestFinished } from 'vitest'
import { openBindle } from '../../src/bindle/open-bindle.ts'
import { pushStandalone } from '../../src/bindle/push-standalone.ts'
import { whenAborted } from '../../src/bytes/abort.ts'
import { chunksOf, openStream } from '../../src/bytes/stream.ts'
import { wait } from '../../src/http/timing.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { bindleOf, clientOf } from '../bindle/small-bindle.ts'

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

it('many wait for one signal with one listener, and leave none', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const reason = new Error('enough')
  const never = (): ReadableStream<Uint8Array> => new ReadableStream<Uint8Array>()
  const work = Array.from({ length: 30 }, async (_, i) => {
    if (i % 2 === 0) return wait(60_000, signal)
    for await (const chunk of chunksOf(never(), signal)) expect(chunk).toBeUndefined()
  })
  expect(listeners(signal)).toBe(1)
  controller.abort(reason)
  for (const result of await Promise.allSettled(work)) expect(result).toMatchObject({ reason })
  expect(listeners(signal)).toBe(0)
})

it('who waits no more is not told, and who ends twice ends nobody else', () => {
  const controller = new AbortController()
  let told = 0
  const tell = (): void => void told++
  const [first, second] = [tell, tell].map((work) => whenAborted(controller.signal, work))
  first!()
  second!()
  expect(listeners(controller.signal)).toBe(0)
  whenAborted(controller.signal, tell)
  second!()
  whenAborted(controller.signal, tell)
  expect(listeners(controller.signal)).toBe(1)
  controller.abort()
  expect(told).toBe(2)
})

it('thirty parcels under one signal make Node warn of nothing', async () => {
  const warnings: string[] = []
  const note = ({ message }: Error): void => void warnings.push(message)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  const { signal } = new AbortController()
  const client = clientOf(createBindleHandler())
  const bindle = await bindleOf(Array.from({ length: 30 }, (_, i) => `parcel ${i}`))
  await pushStandalone(client, bindle, { signal })
  const { parcels } = await openBindle(client, bindle.id, { signal })
  const readers = [...parcels.values()].map((content) => openStream(content).getReader())
  await Promise.all(readers.map((reader) => reader.read()))
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(warnings).toEqual([])
})
