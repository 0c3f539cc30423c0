import { beforeEach, describe, expect, it } from 'vitest'
import { createOutgoingHandler } from '../../../src/run/host/wasi/http-outgoing.ts'
import { createHttpTypes } from '../../../src/run/host/wasi/http-types.ts'
import type { Result } from '../../../src/run/host/wasi/result.ts'
import { createBodyPipe } from '../../../src/run/host/wasi/body-pipe.ts'
import { FREE } from '../../../src/run/host/wasi/streams.ts'

const { functions } = createHttpTypes(() => createBodyPipe({ buffered: false }), FREE)
const call = (name: string, ...args: unknown[]): unknown =>
  (functions[name] as (...args: unknown[]) => unknown)(...args)
const value = (result: unknown): unknown => (result as Result).val

describe('the body of a response that a guest leaves', () => {
  let cancelled: boolean
  let future: unknown
  beforeEach(async () => {
    cancelled = false
    const { functions } = createOutgoingHandler(
      async () => new Response(new ReadableStream({ cancel: () => void (cancelled = true) })),
    )
    const request = call('[constructor]outgoing-request', call('[constructor]fields'))
    call('[method]outgoing-request.set-authority', request, 'up.example')
    future = value((functions['handle'] as (request: never) => unknown)(request as never))
    await (future as { pollable: { wait(): Promise<unknown> } }).pollable.wait()
  })
  const response = (): unknown => value(value(call('[method]future-incoming-response.get', future)))

  it('is cancelled with the future that it was never taken out of', () => {
    call('[resource-drop]future-incoming-response', future)
    expect(cancelled).toBe(true)
  })

  it('is cancelled with the response', () => {
    const got = response()
    call('[resource-drop]future-incoming-response', future)
    expect(cancelled).toBe(false)
    call('[resource-drop]incoming-response', got)
    expect(cancelled).toBe(true)
  })

  it.each(['[resource-drop]incoming-body', '[static]incoming-body.finish'])(
    'is cancelled with the body: %s',
    (end) => {
      const got = response()
      const body = value(call('[method]incoming-response.consume', got))
      call('[resource-drop]incoming-response', got)
      expect(cancelled).toBe(false)
      call(end, body)
      expect(cancelled).toBe(true)
    },
  )

  it('is left to its stream once there is one', () => {
    const body = value(call('[method]incoming-response.consume', response()))
    const stream = value(call('[method]incoming-body.stream', body)) as { close(): void }
    call('[resource-drop]incoming-body', body)
    expect(cancelled).toBe(false)
    stream.close()
    expect(cancelled).toBe(true)
  })
})
