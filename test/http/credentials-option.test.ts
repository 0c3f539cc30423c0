import { describe, expect, it } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import { pull } from '../../src/verbs/pull.ts'

describe('the option `credentials`', () => {
  it.each<[string, unknown, string]>([
    ['null', null, 'leave it out for anonymous access'],
    ['a string', 'ann:hunter2', 'is a string'],
    ['an array', ['ann', 'hunter2'], 'is an array'],
    ['an empty object', {}, 'an empty object'],
    ['other names', { user: 'ann', pass: 'hunter2' }, 'user is username, pass is password'],
    ['a user name alone', { username: 'ann' }, 'an object with username'],
    ['a number as token', { token: 5 }, 'an object with token'],
  ])('refuses %s', async (_name, credentials, named) => {
    const fetch = async (): Promise<Response> => {
      throw new Error('nothing should be sent')
    }
    const options = { credentials: credentials as never, fetch }
    expect(() => createTransport(options)).toThrow(TypeError)
    const refusal: unknown = await pull('registry.test/a:1', options).catch(
      (error: unknown) => error,
    )
    expect(refusal).toBeInstanceOf(TypeError)
    expect((refusal as TypeError).message).toContain(named)
    expect((refusal as TypeError).message).not.toContain('hunter2')
  })

  it('refuses a function that was not called', async () => {
    const createKeychain = () => () => undefined
    const fetch = async (): Promise<Response> =>
      new Response(null, { status: 401, headers: { 'www-authenticate': 'Basic realm="a"' } })
    await expect(
      pull('registry.test/a:1', { credentials: createKeychain as never, fetch, retry: false }),
    ).rejects.toThrow('pass the result of calling it')
  })

  it('takes undefined for anonymous access', () => {
    expect(() => createTransport({ credentials: undefined as never })).not.toThrow()
  })
})
