import { expect, it } from 'vitest'
import { chunksOf } from '../../src/bytes/stream.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { blobOf } from './artifacts.ts'

const bytes = new Uint8Array(6).fill(7)

/** An answer of a part of the bytes that breaks off, or stands still until it is left. */
function half(breaks: boolean): { answer: Response; left: () => boolean } {
  let left = false
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytes.slice(0, 3)),
    pull: (controller) => (breaks ? controller.error(new Error('cut')) : new Promise(() => {})),
    cancel: () => void (left = true),
  })
  return { answer: new Response(body), left: () => left }
}

async function open(
  answers: (() => Promise<Response>)[],
  signal?: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const { descriptor } = await blobOf(bytes)
  const queue = answers.values()
  const repository = createRepository('registry.test/t/a', {
    fetch: () => queue.next().value!(),
    retry: { delay: () => 1 },
  })
  return repository.fetch(descriptor, { signal })
}

it('an unread download that is cancelled closes its connection', async () => {
  const { answer, left } = half(false)
  await (await open([async () => answer])).cancel()
  expect(left()).toBe(true)
})

it('a download that is cancelled during a read closes its connection', async () => {
  const { answer, left } = half(false)
  const reader = (await open([async () => answer])).getReader()
  await reader.read()
  const read = reader.read()
  await reader.cancel()
  expect(await read).toEqual({ done: true, value: undefined })
  expect(left()).toBe(true)
})

it('a download that is cancelled while it is resumed ends at once and ignores the response', async () => {
  let give = (_: Response): void => {}
  let isAsked = false
  const late = half(false)
  const again = (): Promise<Response> => {
    isAsked = true
    return new Promise((resolve) => (give = resolve))
  }
  // The walk's signal is not the download's, which hears nothing of it.
  const stop = new AbortController()
  const reason = new Error('no more')
  const chunks = chunksOf(await open([async () => half(true).answer, again]), stop.signal)
  await chunks.next()
  const next = chunks.next()
  await expect.poll(() => isAsked).toBe(true)
  stop.abort(reason)
  await expect(next).rejects.toBe(reason)
  give(late.answer)
  await expect.poll(late.left).toBe(true)
})

it('an abort closes the connection of an unread download', async () => {
  const { answer, left } = half(false)
  const stop = new AbortController()
  await open([async () => answer], stop.signal)
  stop.abort()
  await expect.poll(left).toBe(true)
})
