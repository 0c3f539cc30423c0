import { describe, expect, it } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { serve, streamed, textOf } from './fetch-servers.ts'

const fetch = createNodeFetch()

describe('a redirect', () => {
  const start = (status: number, to: string): Promise<{ url: string }> =>
    serve(async (request, response) => {
      const { headers, method, url } = request
      if (url === '/here') return void response.writeHead(status, { location: to }).end('moved')
      response.end(JSON.stringify([method, headers.authorization ?? null, await textOf(request)]))
    })

  it('is shown or refused, as asked', async () => {
    const { url } = await start(307, '/there')
    const shown = await fetch(new Request(`${url}/here`, { redirect: 'manual' }))
    expect([shown.status, shown.headers.get('location'), await shown.text()]).toEqual([
      307,
      '/there',
      'moved',
    ])
    await expect(fetch(new Request(`${url}/here`, { redirect: 'error' }))).rejects.toMatchObject({
      message: 'fetch failed',
      cause: { message: 'unexpected redirect' },
    })
  })

  it('is followed with the body, and with Authorization within its origin', async () => {
    const { url } = await start(308, '/there')
    const init = { method: 'PUT', headers: { authorization: 'Bearer a' }, body: 'abc' }
    const answer = await fetch(new Request(`${url}/here`, init))
    expect(await answer.json()).toEqual(['PUT', 'Bearer a', 'abc'])
  })

  it('to another origin takes no Authorization along', async () => {
    const other = await start(500, '')
    const { url } = await start(302, `${other.url}/there`)
    const init = { headers: { authorization: 'Bearer a' } }
    const answer = await fetch(new Request(`${url}/here`, init))
    expect(await answer.json()).toEqual(['GET', null, ''])
  })

  it('of a long stream fails: it can’t be sent twice', async () => {
    const { url } = await start(307, '/there')
    const body = new Blob([new Uint8Array(300 * 1024)]).stream()
    const init = { method: 'PUT', body, duplex: 'half' } as RequestInit
    await expect(fetch(new Request(`${url}/here`, init))).rejects.toMatchObject({
      cause: { message: 'a stream is not sent again' },
    })
  })

  it('of a large upload is followed by the transport, as it is not kept but opened again', async () => {
    const lengths: number[] = []
    const { url } = await serve(async (request, response) => {
      lengths.push((await textOf(request)).length)
      response.writeHead(request.url === '/here' ? 307 : 201, { location: '/there' }).end()
    })
    const size = 9 * 1024 * 1024
    const body = { size, stream: () => streamed(size / 65536, 65536).stream }
    const transport = createTransport({ fetch, retry: false })
    const answer = await transport.fetch({ method: 'PUT', url: `${url}/here`, body })
    expect([answer.status, lengths]).toEqual([201, [size, size]])
  })

  it('in a circle ends', async () => {
    const { url } = await start(302, '/here')
    await expect(fetch(new Request(`${url}/here`))).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
  })
})
