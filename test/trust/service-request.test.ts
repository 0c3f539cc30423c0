import { describe, expect, it } from 'vitest'
import { callService } from '../../src/trust/wire/service-request.ts'

describe('a service that redirects', () => {
  // The redirect in a browser, and in Node and Workers.
  const opaque = (): Response =>
    Object.defineProperties(Response.error(), { type: { value: 'opaqueredirect' } })
  const moved = (): Response => Response.redirect('https://elsewhere.test/?secret=1', 308)

  it.each([
    ['in a page', opaque],
    ['elsewhere', moved],
  ])('is not followed, and what to do is said, %s', async (_, answer) => {
    const asked: string[] = []
    const failure = callService(
      { method: 'POST', url: 'https://fulcio.test/api', body: 'token' },
      { fetch: async ({ url }) => (asked.push(url), answer()) },
    )
    await expect(failure).rejects.toMatchObject({
      code: 'ERR_RESPONSE',
      message:
        'POST https://fulcio.test/api redirects to another address, which is not followed because the request can contain a token: use that address instead',
    })
    expect(asked).toEqual(['https://fulcio.test/api'])
  })
})

describe('a service that rejects a token', () => {
  it('is quoted without the token in any form', async () => {
    const token = `eyJhbGciOiJFUzI1NiJ9.${'eyJzdWIiOiJtZSJ9'.repeat(90)}.c2lnbmF0dXJl_-`
    for (const message of [`${token} is no good`, `it was {"oidcIdentityToken":"${token}"}`]) {
      const failure = await callService(
        { method: 'POST', url: 'https://fulcio.test/api', body: token },
        { fetch: async () => Response.json({ message }, { status: 400 }) },
      ).catch(String)
      expect(failure).toMatch(/answered 400: (?:… is no good|it was \{"oidcIdentityToken":"…"\})$/)
    }
  })
})

describe('a service that fails once', () => {
  const attempts = async (status: number): Promise<number> => {
    let asked = 0
    await callService(
      { method: 'GET', url: 'https://rekor.test/api' },
      {
        fetch: async () =>
          ++asked === 1
            ? new Response(null, { status, headers: { 'retry-after': '0' } })
            : new Response('{}'),
      },
    ).catch(() => {})
    return asked
  }

  it.each([429, 500, 503, 520, 529])('is retried after %i', async (status) => {
    expect(await attempts(status)).toBe(2)
  })

  it.each([400, 404, 501, 505])('is not retried after %i', async (status) => {
    expect(await attempts(status)).toBe(1)
  })
})
