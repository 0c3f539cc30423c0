import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createDeadline } from '../../src/run/http/deadline.ts'

describe('the time that a response has to begin', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('ends with an abort that has a code and says how long it was', () => {
    const { signal } = createDeadline(new AbortController().signal, 50)
    vi.advanceTimersByTime(49)
    expect(signal.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(signal.reason).toMatchObject({
      code: 'ERR_TIMEOUT',
      message: 'no response within 50 ms',
    })
  })

  it.each([Infinity, 2 ** 40])('may be longer than timers are: %s', (timeout) => {
    vi.useRealTimers()
    const set = vi.spyOn(globalThis, 'setTimeout')
    const deadline = createDeadline(new AbortController().signal, timeout)
    deadline.met()
    // Above it a timer fires at once.
    expect(set.mock.calls.map(([, delay]) => delay)).toEqual([0x7fff_ffff])
    set.mockRestore()
  })

  it('is over once the response has begun, however long its body takes', () => {
    const { signal, met } = createDeadline(new AbortController().signal, 50)
    met()
    vi.advanceTimersByTime(1000)
    expect([signal.aborted, vi.getTimerCount()]).toEqual([false, 0])
  })

  it('leaves the client its say until the guest has returned', () => {
    const client = new AbortController()
    const { signal, met } = createDeadline(client.signal, 50)
    met()
    client.abort('left')
    expect(signal.reason).toBe('left')
  })

  it('hears nothing of a client that leaves after that', () => {
    const client = new AbortController()
    const { signal, met, end } = createDeadline(client.signal, 50)
    met()
    end()
    client.abort('left')
    expect(signal.aborted).toBe(false)
  })

  it('has passed for a client that left before', () => {
    const { signal } = createDeadline(AbortSignal.abort('left'), 50)
    expect(signal.reason).toBe('left')
  })

  it('has begun when the request arrived', () => {
    const { signal } = createDeadline(new AbortController().signal, 50, { waited: 40 })
    vi.advanceTimersByTime(9)
    expect(signal.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(signal.reason).toMatchObject({ code: 'ERR_TIMEOUT' })
  })

  it('ends by the clock where no timer has a turn', () => {
    const { signal, assertInTime } = createDeadline(new AbortController().signal, 50)
    assertInTime()
    const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 50)
    expect(assertInTime).toThrow('no response within 50 ms')
    expect(signal.aborted).toBe(true)
    // Not `restoreAllMocks`: that would take the fake timers away with the spies of other tests.
    now.mockRestore()
  })

  it('can be ended for another reason, without a time too', () => {
    const { signal, abort, assertInTime } = createDeadline(
      new AbortController().signal,
      undefined,
      { canAbort: true },
    )
    expect(vi.getTimerCount()).toBe(0)
    assertInTime()
    abort(new Error('others wait'))
    expect(assertInTime).toThrow('others wait')
    expect(signal.aborted).toBe(true)
  })

  it("is the request's own signal where there is none", () => {
    const { signal } = new AbortController()
    const deadline = createDeadline(signal, undefined)
    deadline.met()
    deadline.end()
    expect(deadline.signal).toBe(signal)
    expect(vi.getTimerCount()).toBe(0)
  })
})
