import { describe, expect, it } from 'vitest'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { codeOf, hangs, serve, streamed, textOf, until } from './fetch-servers.ts'

const fetch = createNodeFetch()

describe('what is sent', () => {
  it('is the method, the path with its query, the headers and the body', async () => {
    const { url } = await serve(async ({ method, url: path, headers }, response) => {
      response.end(JSON.stringify([method, path, headers['x-a'], headers['accept-encoding']]))
    })
    const answer = await fetch(
      new Request(`${url}/a%2Fb?c=d#e`, { method: 'DELETE', headers: { 'X-A': 'ä' } }),
    )
    expect(await answer.json()).toEqual(['DELETE', '/a%2Fb?c=d', 'ä', 'identity'])
  })

  const long = 'b'.repeat(300 * 1024)
  for (const [what, body, length] of [
    ['text', 'abc', '3'],
    ['bytes', Uint8Array.of(97, 98), '2'],
    ['a Blob', new Blob(['abcd']), '4'],
    ['a short stream', new Blob(['abcde']).stream(), '5'],
    ['a long stream', new Blob([long]).stream(), undefined],
  ] as const)
    it(`is ${what}, with its length when that is known`, async () => {
      const { url } = await serve(async (request, response) => {
        const text = await textOf(request)
        response.end(JSON.stringify([request.headers['content-length'], text.length]))
      })
      const request = new Request(url, { method: 'PUT', body, duplex: 'half' } as RequestInit)
      expect(await (await fetch(request)).json()).toEqual(
        length === undefined ? [null, long.length] : [length, Number(length)],
      )
    })

  it('is a long stream with the length that was announced', async () => {
    const { url } = await serve(async (request, response) => {
      const { headers } = request
      const { length } = await textOf(request)
      response.end(
        JSON.stringify([headers['content-length'], headers['transfer-encoding'], length]),
      )
    })
    const { stream } = streamed(16, 64 * 1024)
    const answer = await fetch(
      new Request(url, {
        method: 'PUT',
        headers: { 'content-length': String(1024 * 1024) },
        body: stream,
        duplex: 'half',
      } as RequestInit),
    )
    expect(await answer.json()).toEqual([String(1024 * 1024), null, 1024 * 1024])
  })

  for (const [what, announced] of [
    ['longer', 1024 * 1024 - 1],
    ['shorter', 1024 * 1024 + 1],
  ] as const)
    it(`is broken off when it is ${what} than announced`, async () => {
      let received = 0
      const { url } = await serve((request) => {
        request.on('data', ({ length }: Buffer) => (received += length))
        request.on('error', () => {})
      })
      const request = new Request(url, {
        method: 'PUT',
        headers: { 'content-length': String(announced) },
        body: streamed(16, 64 * 1024).stream,
        duplex: 'half',
      } as RequestInit)
      await expect(fetch(request)).rejects.toMatchObject(codeOf('ERR_HTTP_CONTENT_LENGTH_MISMATCH'))
      expect(received).toBeLessThanOrEqual(announced)
    })

  it('has no headers that are those of the connection', async () => {
    const { url } = await serve(({ headers }, response) => {
      response.end(JSON.stringify(headers))
    })
    const request = new Request(url, {
      method: 'POST',
      headers: { 'transfer-encoding': 'chunked', te: 'trailers', expect: '100-continue' },
      body: 'abc',
    })
    const headers = (await (await fetch(request)).json()) as Record<string, string>
    expect(headers).not.toHaveProperty('transfer-encoding')
    expect(headers).not.toHaveProperty('te')
    expect(headers).not.toHaveProperty('expect')
    expect(headers['content-length']).toBe('3')
  })

  it('waits for the server, and is not read ahead', async () => {
    const { url } = await serve(hangs)
    const { stream, taken } = streamed(10_000, 64 * 1024)
    const stop = new AbortController()
    const request = new Request(url, {
      method: 'PUT',
      body: stream,
      duplex: 'half',
      signal: stop.signal,
    } as RequestInit)
    const answer = fetch(request)
    let before = -1
    await until(() => before === (before = taken()) && before > 0)
    // What fits into the buffers of two sockets, of 625 MiB.
    expect(before).toBeLessThan(1000)
    stop.abort(new Error('enough'))
    await expect(answer).rejects.toThrow('enough')
  })

  it('is left when the answer comes first', async () => {
    const { url } = await serve((request, response) => {
      request.once('data', () => {
        response.writeHead(413).end('too much')
        request.pause()
      })
    })
    const { stream, cancelled } = streamed(10_000, 64 * 1024)
    const request = new Request(url, { method: 'PUT', body: stream, duplex: 'half' } as RequestInit)
    const answer = await fetch(request)
    expect([answer.status, await answer.text()]).toEqual([413, 'too much'])
    await until(cancelled)
  })

  it('fails with what its source fails with', async () => {
    const { url } = await serve(hangs)
    const cause = new Error('the disk is gone')
    let pieces = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pieces++ < 10) controller.enqueue(new Uint8Array(64 * 1024))
        else controller.error(cause)
      },
    })
    const request = new Request(url, { method: 'PUT', body, duplex: 'half' } as RequestInit)
    await expect(fetch(request)).rejects.toMatchObject({ name: 'TypeError', cause })
  })
})

it('reaches nothing but http and https', async () => {
  await expect(fetch(new Request('data:text/plain,a'))).rejects.toThrow('fetch failed')
})
