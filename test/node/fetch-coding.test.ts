import * as zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { serve, until } from './fetch-servers.ts'

const fetch = createNodeFetch()
const text = 'plain text. '.repeat(20_000)
const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: string) => Buffer }

async function serveCoded(
  coding: string | string[],
  bytes: Uint8Array,
  status = 200,
): Promise<string> {
  const { url } = await serve((_, response) => {
    response.setHeader('content-encoding', coding)
    response.writeHead(status, { 'content-length': bytes.length })
    response.end(bytes)
  })
  return url
}

describe('a coding that was not asked for is removed', () => {
  it.each<[string | string[], Buffer]>([
    ['gzip', zlib.gzipSync(text)],
    ['x-gzip', zlib.gzipSync(text)],
    ['GZip', zlib.gzipSync(text)],
    ['gzip', Buffer.concat([zlib.gzipSync(text.slice(0, 5)), zlib.gzipSync(text.slice(5))])],
    ['deflate', zlib.deflateSync(text)],
    ['deflate', zlib.deflateRawSync(text)],
    ['br', zlib.brotliCompressSync(text)],
    ['identity', Buffer.from(text)],
    ['', Buffer.from(text)],
    ['deflate, gzip', zlib.gzipSync(zlib.deflateSync(text))],
    ['identity,gzip,identity', zlib.gzipSync(text)],
    [['deflate', 'br'], zlib.brotliCompressSync(zlib.deflateSync(text))],
  ])('%j', async (coding, bytes) => {
    const answer = await fetch(new Request(await serveCoded(coding, bytes)))
    expect((await answer.text()) === text).toBe(true)
  })

  it('zstd, where Node has it', async () => {
    const bytes = zstdCompressSync?.(text)
    const url = await serveCoded('zstd', bytes ?? Buffer.from('x'))
    const read = (await fetch(new Request(url))).text()
    if (bytes === undefined) await expect(read).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    else expect((await read) === text).toBe(true)
  })

  it.each(['gzip', 'deflate', 'br', 'zstd', 'br, gzip'])(
    'is an error that names it when the body is not in it: %s',
    async (coding) => {
      const url = await serveCoded(coding, Buffer.from('{"not": "coded at all, as it stands"}'))
      const read = (await fetch(new Request(url))).text()
      const isKnown = coding !== 'zstd' || zstdCompressSync !== undefined
      await expect(read).rejects.toMatchObject({
        code: isKnown ? 'ERR_CONTENT_INVALID' : 'ERR_UNSUPPORTED',
        message: expect.stringContaining('content coding') as string,
      })
    },
  )

  it('from nothing too', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end()
    })
    expect(await (await fetch(new Request(url))).text()).toBe('')
  })

  it('from the body of a failure too', async () => {
    const url = await serveCoded('gzip', zlib.gzipSync('{"errors":[]}'), 404)
    const answer = await fetch(new Request(url))
    expect([answer.status, await answer.text()]).toEqual([404, '{"errors":[]}'])
  })

  it('and an answer to HEAD has none to remove', async () => {
    const url = await serveCoded('gzip', zlib.gzipSync(text))
    const answer = await fetch(new Request(url, { method: 'HEAD' }))
    expect([answer.status, await answer.text()]).toEqual([200, ''])
  })
})

describe('a body that can’t be decoded', () => {
  it.each(['compress', 'aws-lines', 'gzip, rot13'])(
    'is an error when it is read: %s',
    async (coding) => {
      const answer = await fetch(new Request(await serveCoded(coding, Buffer.from(text), 401)))
      expect(answer.status).toBe(401)
      const read = answer.text()
      await expect(read).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
      await expect(read).rejects.toThrow(`"${coding.split(', ').at(-1)}"`)
    },
  )

  it('is an error with more codings than anybody means', async () => {
    const coding = 'gzip,gzip,gzip,gzip,gzip,gzip'
    const answer = await fetch(new Request(await serveCoded(coding, Buffer.from(text))))
    await expect(answer.text()).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  it.each<[string, Buffer]>([
    ['cut off', zlib.gzipSync(text).subarray(0, -20)],
    ['damaged', Buffer.concat([zlib.gzipSync(text).subarray(0, 40), Buffer.alloc(100, 7)])],
  ])('breaks off when it is %s', async (_, bytes) => {
    const answer = await fetch(new Request(await serveCoded('gzip', bytes)))
    await expect(answer.text()).rejects.toMatchObject({ name: 'TypeError' })
  })
})

describe('a coded body that is not read to its end', () => {
  it('lets its connection go when it is cancelled, also while it is waited for', async () => {
    let closed = 0
    const { url } = await serve((_, response) => {
      response.setHeader('content-encoding', 'gzip')
      response.write(zlib.gzipSync(text).subarray(0, 50))
      response.on('close', () => closed++)
    })
    const reader = (await fetch(new Request(url))).body!.getReader()
    const waiting = reader.read()
    await reader.cancel()
    expect(await waiting).toEqual({ done: true, value: undefined })
    await until(() => closed === 1)
  })

  it('rejects with the reason of an abort', async () => {
    const { url } = await serve((_, response) => {
      response.setHeader('content-encoding', 'gzip')
      response.write(zlib.gzipSync(text).subarray(0, 50))
    })
    const stop = new AbortController()
    const reason = new Error('stop')
    const answer = await fetch(new Request(url, { signal: stop.signal }))
    const read = answer.text()
    stop.abort(reason)
    await expect(read).rejects.toBe(reason)
  })
})

it('pieces of a decoded body are the reader’s own', async () => {
  const url = await serveCoded('gzip', zlib.gzipSync(text))
  const reader = (await fetch(new Request(url))).body!.getReader()
  const first = (await reader.read()).value!
  expect(first.constructor).toBe(Uint8Array)
  structuredClone(first, { transfer: [first.buffer] })
  for (let next = await reader.read(); !next.done; next = await reader.read())
    expect(next.value[0]).toBeGreaterThan(0)
})
