import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseChallenges } from '../../src/http/challenge.ts'
import { parseRetryAfter } from '../../src/http/retry-after.ts'
import { coversScopes, mergeScopes } from '../../src/http/scope.ts'

describe('parseChallenges', () => {
  it('reads several in one header, with commas inside quotes', () => {
    const [bearer, basic] = parseChallenges(
      'Bearer realm="https://a.test/token",scope="repository:a:pull,push", Basic realm=x',
    )
    expect(bearer?.parameters.get('scope')).toBe('repository:a:pull,push')
    expect([basic?.scheme, basic?.parameters.get('realm')]).toEqual(['basic', 'x'])
  })

  it('gives back any list of challenges', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/)
    const value = fc.stringMatching(/^[\x20-\x7e]{0,20}$/)
    const challenge = fc.record({
      scheme: name,
      parameters: fc.uniqueArray(fc.tuple(name, value), {
        selector: ([key]) => key,
        minLength: 1,
        maxLength: 4,
      }),
    })
    fc.assert(
      fc.property(fc.array(challenge, { minLength: 1, maxLength: 3 }), (list) => {
        const header = list
          .map(
            ({ scheme, parameters }) =>
              `${scheme} ${parameters.map(([key, text]) => `${key}="${text.replace(/["\\]/g, '\\$&')}"`).join(', ')}`,
          )
          .join(', ')
        expect(
          parseChallenges(header).map(({ scheme, parameters }) => ({
            scheme,
            parameters: [...parameters],
          })),
        ).toEqual(list)
      }),
    )
  })

  it('takes any text', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseChallenges(text)))
  })
})

it('parseRetryAfter reads seconds, dates and Go durations', () => {
  expect(parseRetryAfter('3')).toBe(3000)
  expect(parseRetryAfter(new Date(Date.now() + 5000).toUTCString())).toBeGreaterThan(3000)
  expect(parseRetryAfter(null, 'retry-after: 10.487765ms, allowed: 2000/minute')).toBe(11)
  expect(parseRetryAfter(null, 'retry-after: 1m2.5s')).toBe(62_500)
  expect(parseRetryAfter(null, 'no')).toBeUndefined()
})

it('scopes are merged per resource, names with a port too', () => {
  expect(
    mergeScopes(['repository:h:5000/a:push', 'repository:b:pull', 'repository:h:5000/a:pull']),
  ).toEqual(['repository:h:5000/a:pull,push', 'repository:b:pull'])
  expect(coversScopes(['repository:a:pull,push'], ['repository:a:pull'])).toBe(true)
  expect(coversScopes(['repository:a:pull'], ['repository:a:pull,push'])).toBe(false)
})
