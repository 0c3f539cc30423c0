// The 91 cases that a verifier must refuse, so that none of them gets lost: each is a test by its number.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const CASES = {
  policy:
    'neither key nor identity; key and identity; identity without issuer; issuer without identity; empty criteria; threshold 0',
  registry:
    'no signatures; payload is another; bundle is another; referrer of something else; two layers; tag moved; registry fails; too large or too many',
  'older form':
    'another digest; foreign type; broken base64; no signature; log of another payload; of another signature; of another key; promise altered; time altered; index altered; body no string; unknown log; annotation missing or different; other reference; certificate without time; no log; other layer type',
  bundle:
    'unknown version; chain in 0.3; root inside; both or neither content; zero or two signatures; payload type; predicate type; subject; integers; base64; duplicate entries; too many entries',
  crypto: 'flipped bit; bad DER; P1363 for DER; wrong key; RSA 1024',
  log: 'no proof; no checkpoint; invented tree; time without promise; hashes; index; checkpoint; witness alone; kind or version; digest; certificate; time outside the key; version 2 without time',
  certificate:
    'foreign authority; authority out of range; time outside; one time of two outside; usage; no authority or too long; critical extension; SCT; name; issuer; extensions',
  timestamp: 'other data; unknown authority; time outside; two signers; usage; nonce',
  'trusted root': 'no start; unsupported key; TUF',
  keys: 'wrong password; scrypt; kdf or cipher; SEC 1; nonce',
  signing: 'token; certificate; entry; conflict; half-written',
}

const names = new Map<number, number>()
for (const folder of ['test/portable', 'test/trust']) {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.test.ts'))) {
    const text = readFileSync(`${folder}/${file}`, 'utf8')
    for (const [, number] of text.matchAll(/['`](\d{1,2}): [A-Za-z%]/g))
      names.set(Number(number), (names.get(Number(number)) ?? 0) + 1)
  }
}

it('all 91 cases have tests by their numbers', () => {
  const cases = Object.values(CASES).flatMap((text) => text.split('; '))
  expect(cases).toHaveLength(91)
  const missing = cases.flatMap((title, i) => (names.has(i + 1) ? [] : [`${i + 1}: ${title}`]))
  expect(missing).toEqual([])
  expect([...names.keys()].filter((number) => number < 1 || number > 91)).toEqual([])
})
