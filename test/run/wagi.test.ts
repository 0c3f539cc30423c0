import { describe, expect, it } from 'vitest'
import { FILES, guest, run, type Running } from './guests.ts'
import { expectNoWaiting, itWaits } from './waiting.ts'

describe.each([
  ['core module', 'wagi'],
  ['component', 'command'],
])('a WAGI program as %s', (_, name) => {
  const start = (config = {}): Promise<Running> =>
    run(
      { wasm: guest(name), fileTree: FILES, env: { MINE: 'yes' } },
      {},
      { executor: { type: 'wagi', ...config } },
    )

  it('answers over CGI', async () => {
    const app = await start()
    const response = await app.get('/p%20q?a=1&b=2', {
      method: 'POST',
      body: 'BODY',
      headers: { 'x-y-z': '1', authorization: 'secret' },
    })
    expect(response.headers.get('content-type')).toBe('text/plain')
    const lines = (await response.text()).split('\n')
    expect(lines[0]).toBe('[/p%20q][a=1][b=2]')
    for (const line of [
      'REQUEST_METHOD=POST',
      'QUERY_STRING=a=1&b=2',
      'CONTENT_LENGTH=4',
      'PATH_INFO=/p q',
      'X_RAW_PATH_INFO=/p%20q',
      'X_MATCHED_ROUTE=/...',
      'X_BASE_PATH=/',
      'X_FULL_URL=http://app.example/p%20q?a=1&b=2',
      'SERVER_NAME=app.example',
      'SERVER_PORT=80',
      'SERVER_SOFTWARE=WAGI/1',
      'GATEWAY_INTERFACE=CGI/1.1',
      'HTTP_X_Y_Z=1',
      'MINE=yes',
      'body=BODY',
    ])
      expect(lines).toContain(line)
    expect(lines.filter((line) => line.includes('secret'))).toEqual([])
  })

  it('gets arguments by the template', async () => {
    expect((await (await start({ argv: 'prog ${ARGS} end' })).text('/?$1&x')).split('\n')[0]).toBe(
      '[prog][$1][x][end]',
    )
  })

  it('is a 500 when it fails', async () => {
    const app = await start()
    expect((await app.get(name === 'wagi' ? '/?exit' : '/?fail')).status).toBe(500)
    expect(app.log.at(-1)?.text).toMatch(/exited with/)
  })
})

describe('what a WAGI program prints', () => {
  const start = (): Promise<Running> =>
    run({ wasm: guest('wagi'), fileTree: FILES }, {}, { executor: { type: 'wagi' } })

  it('may be a status or a place to go', async () => {
    const app = await start()
    const teapot = await app.get('/?status')
    expect([teapot.status, await teapot.text()]).toEqual([418, 'short\n'])
    const moved = await app.get('/?moved')
    expect([moved.status, moved.headers.get('location')]).toEqual([302, '/there'])
  })

  it.each(['empty', 'bare', 'inject'])('%s is no response', async (query) => {
    const app = await start()
    const response = await app.get(`/?${query}`)
    expect([response.status, await response.text()]).toEqual([500, ''])
  })

  it('can read its files and change nothing', async () => {
    expect((await (await start()).text('/?files')).split('\n').slice(1)).toEqual([
      'stat 0 size 10',
      'read ello file',
      'entry .',
      'entry ..',
      'entry b.txt',
      ...['create', 'write', 'mkdir', 'unlink', 'rename'].map(
        (what) => `${what} -1 Read-only file system`,
      ),
      'up -1',
      'missing -1',
      '',
    ])
  })

  itWaits(
    'may sleep',
    async () => {
      expect(await (await start()).text('/?sleep')).toContain('slept 0')
    },
    async () => expectNoWaiting(await start(), '/?sleep'),
  )
})
