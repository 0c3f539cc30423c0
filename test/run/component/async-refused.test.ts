import { describe, expect, it } from 'vitest'
import { guest, NO_CALLBACK } from './async-guests.ts'
import { start } from './start.ts'

describe('what is not supported', () => {
  it.each([
    [
      'error-context',
      '(component (core module $M (memory (export "m") 1)) (core instance $m (instantiate $M)) (alias core export $m "m" (core memory $mem)) (core func (canon error-context.new (memory $mem))))',
      /error-context/,
    ],
    ['threads', '(component (core func (canon thread.index)))', /threads/],
    ['maps', '(component (type (map string u32)))', /map/],
  ])('is refused by name: %s', async (_, wat, message) => {
    await expect(start(wat)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(message),
    })
  })

  it.each([
    [
      'an async lift of what is not async',
      '(func (export "f") (canon lift (core func $m "f") async (callback (core func $m "cb"))))',
      /its type is not: async/,
    ],
    [
      'a callback without async',
      '(func (export "f") async (canon lift (core func $m "f") (callback (core func $m "cb"))))',
      /has a callback, but is not async/,
    ],
  ])('is refused as malformed: %s', async (_, exports, message) => {
    const wat = guest({
      code: `(func (export "f") (result i32) (i32.const 0)) ${NO_CALLBACK}`,
      exports,
    })
    await expect(start(wat)).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
      message: expect.stringMatching(message),
    })
  })
})
