import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import type { Credentials, TransportRequest } from '../../src/types.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

const pull: TransportRequest = {
  url: 'https://r.test/v2/app/manifests/1',
  scope: { registry: 'r.test', repository: 'app', actions: ['pull'] },
}

/** A registry whose one good password changes, and a keychain that always has what it is told. */
function open(form: 'basic' | 'token', status = 401) {
  const state = { good: 'first', kept: 'first', asked: 0, requests: 0 }
  const isGood = (header: string | null): boolean =>
    header === `Basic ${btoa(`me:${state.good}`)}` || header === `Bearer ${state.good}`
  const challenge = form === 'basic' ? 'Basic realm="r"' : 'Bearer realm="https://r.test/token"'
  const refuse = (code: number): Response =>
    new Response(null, { status: code, headers: { 'www-authenticate': challenge } })
  const transport = createTransport({
    retry: false,
    async credentials(): Promise<Credentials> {
      state.asked++
      return { username: 'me', password: state.kept }
    },
    async fetch({ url, headers }) {
      state.requests++
      const sent = headers.get('authorization')
      if (isGood(sent))
        return url.includes('/token') ? Response.json({ token: state.good }) : new Response('it')
      return sent === null || !sent.startsWith('B') ? refuse(401) : refuse(status)
    },
  })
  const get = async (): Promise<string> => (await transport.fetch(pull)).text()
  return { state, get }
}

describe('credentials that are refused', () => {
  for (const form of ['basic', 'token'] as const)
    it(`are looked up again, and the request is repeated with the new ones (${form})`, async () => {
      const { state, get } = open(form)
      await get()
      await get()
      expect(state.asked).toBe(1)
      state.good = state.kept = 'second'
      expect(await get()).toBe('it')
      expect(state.asked).toBe(2)
      await get()
      expect(state.asked).toBe(2)
    })

  for (const form of ['basic', 'token'] as const)
    it(`are looked up once per call while the keychain has no others (${form})`, async () => {
      const { state, get } = open(form)
      await get()
      state.good = 'second'
      for (const asked of [2, 3]) {
        state.requests = 0
        await expect(get()).rejects.toMatchObject({ status: 401 })
        expect(state.asked).toBe(asked)
        expect(state.requests).toBeLessThan(4)
      }
      state.kept = 'second'
      expect(await get()).toBe('it')
    })

  it('are not cached when they were wrong from the start', async () => {
    const { state, get } = open('token')
    state.kept = 'wrong'
    await expect(get()).rejects.toMatchObject({ status: 401 })
    expect(state.asked).toBe(1)
    state.kept = 'first'
    expect(await get()).toBe('it')
    expect(state.asked).toBe(2)
  })

  it('are looked up again only once, though the keychain returns others each time', async () => {
    const { state, get } = open('basic')
    await get()
    state.good = 'nobody has it'
    state.kept = 'another'
    state.requests = 0
    await expect(get()).rejects.toMatchObject({ status: 401 })
    expect(state.asked).toBe(2)
    expect(state.requests).toBe(2)
  })

  it('are looked up again after 403 when they are old, as ECR answers for expired ones', async () => {
    const { state, get } = open('basic', 403)
    await get()
    state.good = state.kept = 'second'
    await expect(get()).rejects.toMatchObject({ status: 403 })
    expect(state.asked).toBe(1)
    vi.setSystemTime(Date.now() + 12 * 3_600_000)
    expect(await get()).toBe('it')
    expect(state.asked).toBe(2)
  })
})
