import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getRounds, hashSync } from 'bcryptjs'
import { afterAll, describe, expect, it } from 'vitest'
import { readHtpasswd, type HtpasswdOptions } from '../../src/node/credentials/htpasswd.ts'
import { createHashChoice, parseHtpasswd } from '../../src/node/credentials/htpasswd-users.ts'
import { authorizeBindleBasic } from '../../src/serve/bindle/authorize.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createBasicAuthorizer } from '../../src/serve/http/basic.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createTokenService } from '../../src/serve/token-service.ts'
import { codeOf } from '../serve/registry/client.ts'

// Clients can guess names and passwords: the response time must not reveal which
// names exist, and guesses must not block the server.

const folder = mkdtempSync(join(tmpdir(), 'spindle-htpasswd-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const USERS = ['ann:', 'bob:', 'cleo:'].map(
  (user, i) => `${user}${hashSync('secret', [4, 5, 9][i]!).replace('$2b$', '$2y$')}`,
)

function fileOf(text: string): string {
  const path = join(folder, 'users')
  writeFileSync(path, text)
  return path
}
const read = (text: string, options?: HtpasswdOptions): ReturnType<typeof readHtpasswd> =>
  readHtpasswd(fileOf(text), options)

const basic = (user: string, password: string): Record<string, string> => ({
  Authorization: `Basic ${btoa(`${user}:${password}`)}`,
})

describe('an unknown user', () => {
  it('costs the same hashes as a known user of any cost', async () => {
    const hashesOf = await createHashChoice(parseHtpasswd(USERS.join('\n'), 'users', 14))
    for (const user of ['ann', 'bob', 'cleo', 'nobody', '', '__proto__'])
      expect(hashesOf(user).map(getRounds)).toEqual([4, 5, 9])
    const known = USERS.map((line) => line.slice(line.indexOf(':') + 1))
    for (const [i, user] of ['ann', 'bob', 'cleo'].entries())
      expect(hashesOf(user).filter((hash) => known.includes(hash))).toEqual([known[i]])
    expect(hashesOf('nobody').filter((hash) => known.includes(hash))).toEqual([])
  })

  it('has no password', async () => {
    const authenticate = await read(USERS.join('\n'))
    for (const user of ['nobody', '', '__proto__'])
      for (const password of ['', 'secret', 'undefined'])
        expect(await authenticate(user, password)).toBe(false)
    for (const user of ['ann', 'bob', 'cleo']) {
      expect(await authenticate(user, 'Secret')).toBe(false)
      expect(await authenticate(user, 'secret')).toBe(true)
      // From the cache of successful logins.
      expect(await authenticate(user, 'secret')).toBe(true)
      expect(await authenticate(user, 'Secret')).toBe(false)
    }
  })
})

describe('a password check', () => {
  it('does not block the thread of the server', async () => {
    const authenticate = await read(`ann:${hashSync('secret', 11)}`)
    // Starts the worker thread.
    await authenticate('ann', 'first')
    let turns = 0
    let going = true
    const turn = (): void => {
      turns++
      if (going) setImmediate(turn)
    }
    turn()
    expect(await authenticate('ann', 'guess')).toBe(false)
    going = false
    // On the server's thread it would block for a tenth of a second each time.
    expect(turns).toBeGreaterThan(100)
  })

  it('is rejected when too many others are waiting', async () => {
    const authenticate = await read(USERS.join('\n'), { maxPending: 3 })
    const guesses = await Promise.allSettled(
      Array.from({ length: 10 }, async (_, i) => authenticate('ann', `guess ${i}`)),
    )
    const refused = guesses.filter(({ status }) => status === 'rejected')
    // One is running, three are waiting.
    expect(refused).toHaveLength(6)
    for (const guess of refused)
      expect(guess).toMatchObject({ reason: { code: 'ERR_LIMIT_EXCEEDED' } })
    expect(await authenticate('ann', 'secret')).toBe(true)
  })

  it('runs once for concurrent requests with the same password', async () => {
    const authenticate = await read(USERS.join('\n'), { maxPending: 1 })
    const all = Array.from({ length: 50 }, async () => authenticate('cleo', 'secret'))
    expect(await Promise.all(all)).toEqual(all.map(() => true))
  })

  it('that succeeded before does not wait', async () => {
    const authenticate = await read(USERS.join('\n'), { maxPending: 1 })
    await authenticate('ann', 'secret')
    const guesses = [1, 2].map(async (i) => authenticate('cleo', `guess ${i}`))
    expect(await authenticate('ann', 'secret')).toBe(true)
    await Promise.all(guesses)
  })

  it('above the limit is answered with 429 by each server, not as a wrong password', async () => {
    const authenticate = await read(`ann:${hashSync('secret', 9)}`, { maxPending: 1 })
    const tokens = createTokenService({ authenticate })
    const servers = [
      [createRegistryHandler({ authorize: createBasicAuthorizer({ authenticate }) }), '/v2/'],
      [createRegistryHandler(tokens), '/token'],
      [createBindleHandler({ authorize: authorizeBindleBasic(authenticate) }), '/v1/_q'],
    ] as const
    for (const [{ fetch }, path] of servers) {
      const answers = await Promise.all(
        [1, 2, 3, 4].map((i) =>
          fetch(new Request(`http://a.test${path}`, { headers: basic('ann', `guess ${i}`) })),
        ),
      )
      expect(answers.map(({ status }) => status).toSorted()).toEqual([401, 401, 429, 429])
      const refused = answers.find(({ status }) => status === 429)!
      if (path !== '/v1/_q') {
        expect(refused.headers.get('Retry-After')).toBe('1')
        expect(await codeOf(refused)).toBe('TOOMANYREQUESTS')
      }
    }
  })
})

describe('a file', () => {
  it('with a hash that takes too long is rejected with its line and both solutions', async () => {
    const dear = `ann:$2y$15$${'a'.repeat(53)}`
    await expect(read(`# users\n${dear}`)).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_INVALID',
      message: expect.stringMatching(
        /users:2 .*cost 15, more than 14.*-C 12.*"maxCost".*--htpasswd-max-cost/,
      ) as string,
    })
    await read(dear, { maxCost: 15 })
    await expect(read(`ann:$2y$03$${'a'.repeat(53)}`)).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_INVALID',
    })
    for (const maxCost of [3, 32, 4.5, Number.NaN])
      await expect(read('', { maxCost })).rejects.toThrow(TypeError)
    await expect(read('', { maxPending: 0 })).rejects.toThrow(TypeError)
  })

  it.each([
    ['ann:$apr1$abcdefgh$Wi6tS5Yn1P0LJqn0cXo0u1', 'MD5'],
    ['ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', 'SHA-1'],
    ['ann:$5$salt$Gcm6FsVtF/Qa77ZKD.iwsJlCVPY0XSMgLJL0Hnww/c1', 'SHA-256'],
    ['ann:$6$salt$abc', 'SHA-512'],
    ['ann:rqXexS6ZhobKA', 'DES'],
    ['ann:secret', 'something else'],
    [':$2y$05$' + 'a'.repeat(53), 'something else'],
    ['ann', 'no colon'],
  ])('with %s is rejected with the format, without quoting the line', async (line, format) => {
    const failure = read(line)
    await expect(failure).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_INVALID' })
    await expect(failure).rejects.toThrow(format)
    const hash = line.slice(line.indexOf(':') + 1)
    await expect(failure).rejects.not.toThrow(hash)
  })
})
