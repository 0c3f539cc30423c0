// Services that sign, log and update: what they don't answer must end a call, whatever `fetch` it was given.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { requestIdentityToken } from '../../src/trust/keyless/device-flow.ts'
import { publicGoodTufRoot } from '../../src/trust/root/trust-root.ts'
import { updateTrustedRoot } from '../../src/trust/root/tuf.ts'
import type { FetchLike } from '../../src/types.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

type Call = (fetch: FetchLike, signal?: AbortSignal) => Promise<unknown>
const update: Call = (fetch, signal) =>
  updateTrustedRoot({ root: publicGoodTufRoot }, { fetch, signal })
const login: Call = (fetch, signal) => requestIdentityToken({ prompt: () => {}, fetch, signal })

/** What a call fails with, some time after it asked; neither who answers nor the answer hears a signal. */
async function failureOf(
  call: Call,
  answer: () => Promise<Response>,
  later: () => Promise<unknown>,
  signal?: AbortSignal,
): Promise<unknown> {
  const fetch = vi.fn<FetchLike>(answer)
  const failure = call(fetch, signal).catch((error: unknown) => error)
  await vi.waitFor(() => expect(fetch).toHaveBeenCalled())
  await later()
  await vi.advanceTimersByTimeAsync(1)
  return Promise.race([failure, 'still waiting'])
}

describe.each([
  ['an update of the trusted root', update],
  ['a login', login],
])('%s', (_, call) => {
  describe.each<[string, () => Promise<Response>]>([
    ['nobody answers', async () => new Promise(() => {})],
    ['the answer has no end', async () => new Response(new ReadableStream({}))],
  ])('where %s', (_, answer) => {
    it('ends', async () => {
      const minute = () => vi.advanceTimersByTimeAsync(60_000)
      expect(await failureOf(call, answer, minute)).toMatchObject({ code: 'ERR_TIMEOUT' })
    })

    it('can be given up', async () => {
      const controller = new AbortController()
      const reason = new Error('enough')
      const giveUp = async () => controller.abort(reason)
      expect(await failureOf(call, answer, giveUp, controller.signal)).toBe(reason)
    })
  })
})
