import { describe, expect, it } from 'vitest'
import { createWarner } from '../../src/http/warning.ts'

function tell(...headers: readonly string[]): readonly string[] {
  const told: string[] = []
  const warn = createWarner(({ host, message }) => told.push(`${host}: ${message}`))
  for (const warning of headers)
    warn(new Response(null, { headers: { warning } }), new URL('https://r.test:5000/v2/'))
  return told
}

describe('Warning headers', () => {
  it('are reported once, with the host, also several of one header', () => {
    expect(tell('299 - "old"', '299 - "old", 299 r "says \\"soon\\""')).toEqual([
      'r.test:5000: old',
      'r.test:5000: says "soon"',
    ])
  })

  it('of other codes, or malformed, are ignored', () => {
    expect(tell('110 - "stale"', '299 "no agent"', '299 - unquoted')).toEqual([])
  })

  it('show no secrets that a server repeats', () => {
    expect(tell('299 - "your password=hunter22 is old"').join()).not.toContain('hunter22')
  })

  it('are limited to a hundred different ones', () => {
    expect(tell(...Array.from({ length: 300 }, (_, at) => `299 - "n${at}"`))).toHaveLength(100)
  })
})
