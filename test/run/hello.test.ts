import { beforeAll, describe, expect, it } from 'vitest'
import { createAppHandler, type LogLine } from '../../src/run/index.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import type { FetchHandler } from '../../src/types.ts'
import { bytesOfFile, helloApp } from './fixtures.ts'

const get = (handler: FetchHandler, path: string, init?: RequestInit): Promise<Response> =>
  handler.fetch(new Request(`http://localhost:3000${path}`, init))

describe('the example application', () => {
  const log: LogLine[] = []
  let handler: FetchHandler
  beforeAll(async () => {
    handler = await createAppHandler(helloApp(), { onLog: (line) => log.push(line) })
  })

  it('answers a page from its files', async () => {
    const response = await get(handler, '/')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(
      bytesOfFile('examples/hello/static/index.html'),
    )
  })

  it('knows a name from its path, decoded and escaped', async () => {
    expect(await (await get(handler, '/hello/w%6Frld')).text()).toContain('<h1>Hello, world!</h1>')
    expect(await (await get(handler, '/hello/%3Cb%3E')).text()).toContain('Hello, &lt;b&gt;!')
  })

  it('answers JSON about the request', async () => {
    const response = await get(handler, '/api?x=1', { method: 'POST', body: 'ignored' })
    expect(await response.json()).toEqual({
      greeting: 'Hello',
      method: 'POST',
      path: '/api',
      query: 'x=1',
    })
  })

  it('serves static files and nothing beside them', async () => {
    expect((await get(handler, '/static/icon.svg')).headers.get('content-type')).toBe(
      'image/svg+xml',
    )
    expect((await get(handler, '/static/..%2fsecret')).status).toBe(404)
    expect((await get(handler, '/static/')).status).toBe(404)
  })

  it('prints a line for each request', async () => {
    log.length = 0
    await (await get(handler, '/api')).text()
    expect(log).toEqual([{ component: 'hello', stream: 'stdout', text: 'GET /api' }])
  })

  it('answers HEAD without a body', async () => {
    const response = await get(handler, '/', { method: 'HEAD' })
    expect(response.status).toBe(200)
    expect(response.body).toBeNull()
  })

  it('takes variables from the option before the manifest', async () => {
    const other = await createAppHandler(helloApp(), { variables: { greeting: 'Moin' } })
    expect(await (await get(other, '/hello/you')).text()).toContain('Moin, you!')
  })
})

describe('the example application, from its source', () => {
  it('answers as what is pulled does', async () => {
    const names = ['spin.toml', 'hello.wasm', 'static/index.html', 'static/icon.svg']
    const app = await loadApp(
      Object.fromEntries(names.map((name) => [name, bytesOfFile(`examples/hello/${name}`)])),
    )
    const handler = await createAppHandler(app)
    expect(await (await get(handler, '/hello/you')).text()).toContain('Hello, you!')
    expect((await get(handler, '/static/icon.svg')).headers.get('content-type')).toBe(
      'image/svg+xml',
    )
    expect(await (await get(handler, '/.well-known/spin/info')).json()).toEqual({
      name: 'hello',
      version: '1.0.0',
    })
  })
})
