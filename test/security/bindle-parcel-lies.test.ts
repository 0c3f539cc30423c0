import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openBindle } from '../../src/bindle/open-bindle.ts'
import { pushStandalone } from '../../src/bindle/push-standalone.ts'
import { formatStandalone } from '../../src/bindle/standalone.ts'
import { streamFrom } from '../../src/bytes/stream.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { writeDirectory } from '../../src/node/files/write-directory.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { between, bindleOf, clientOf } from '../bindle/small-bindle.ts'

// A server gives other bytes than the invoice says, more, fewer, no end of them, or stops in the middle.

const CONTENT = 'what the label says'

async function* forever(): AsyncGenerator<Uint8Array> {
  for (;;) yield encodeUtf8(CONTENT)
}
async function* brokenOff(): AsyncGenerator<Uint8Array> {
  yield encodeUtf8(CONTENT.slice(0, 5))
  throw new TypeError('terminated')
}

it.each([
  ['other bytes', () => CONTENT.toUpperCase(), {}],
  ['fewer', () => CONTENT.slice(1), {}],
  ['more', () => `${CONTENT}!`, {}],
  ['none', () => null, {}],
  ['no end of them', () => streamFrom(forever()), {}],
  ['a beginning', () => streamFrom(brokenOff()), {}],
  [
    'another length than it says',
    () => `${CONTENT}!`,
    { 'content-length': String(CONTENT.length) },
  ],
])('nothing is kept of a parcel that comes with %s', async (_, body, headers) => {
  const handler = createBindleHandler()
  const bindle = await bindleOf([CONTENT])
  await pushStandalone(clientOf(handler), bindle)
  const lying = between(handler, (request) =>
    request.method === 'GET' && request.url.includes('@')
      ? new Response(body(), { headers: headers as Record<string, string> })
      : undefined,
  )
  const folder = mkdtempSync(join(tmpdir(), 'spindle-lies-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const files = await formatStandalone(await openBindle(clientOf(lying), bindle.id))
  await expect(writeDirectory(folder, files)).rejects.toMatchObject({
    code: expect.stringMatching(/^ERR_(?:DIGEST_MISMATCH|NETWORK|RESPONSE)$/),
  })
  const [path = ''] = [...files.keys()].filter((name) => name.endsWith('.dat'))
  expect(existsSync(join(folder, path))).toBe(false)
  expect(
    readdirSync(folder, { recursive: true }).filter((name) => String(name).includes('partial')),
  ).toEqual([])
})
