import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { rawClient, statusOf } from '../node/raw-client.ts'
import { start } from './running.ts'
import { createSession } from './session.ts'

const hello = fileURLToPath(new URL('../../examples/hello', import.meta.url))

async function head(url: string, bytes: number): Promise<number | undefined> {
  const client = await rawClient(url)
  const { host } = new URL(url)
  const half = 'x'.repeat(bytes / 2)
  client.write(
    `GET /hello/a?${half} HTTP/1.1\r\nHost: ${host}\r\nX: ${half}\r\nConnection: close\r\n\r\n`,
  )
  return statusOf(await client.closed)
}

describe('--max-header-size', () => {
  it('is what Spin takes, for an application', async () => {
    const up = await start(createSession(), 'up', '-f', hello)
    expect([await head(up.url, 400_000), await head(up.url, 450_000)]).toEqual([200, 431])
    await up.stop()
  })

  it.each([
    ['--max-header-size', '100kB'],
    ['--http1-max-buf-size', '100000'],
  ])('may be less or more: %s %s', async (...flag) => {
    const up = await start(createSession(), 'up', '-f', hello, ...flag)
    expect([await head(up.url, 90_000), await head(up.url, 110_000)]).toEqual([200, 431])
    await up.stop()
  })

  it('comes from the variable that Spin reads, too', async () => {
    const session = createSession()
    session.env['SPIN_HTTP1_MAX_BUF_SIZE'] = '1000000'
    const up = await start(session, 'up', '-f', hello)
    expect([await head(up.url, 900_000), await head(up.url, 1_100_000)]).toEqual([200, 431])
    await up.stop()
  })
})

const SERVERS: ReadonlyArray<readonly string[]> = [
  ['up', '-f', hello],
  ['serve'],
  ['bindle-server', '--unauthenticated', '--directory', '.'],
]

describe.each(SERVERS)('%s', (...command) => {
  it('keeps connections by --max-connections', async () => {
    const server = await start(createSession(), ...command, '--max-connections', '2')
    const clients = [await rawClient(server.url), await rawClient(server.url)]
    await new Promise((resolve) => setTimeout(resolve, 200))
    const next = await rawClient(server.url)
    expect(await clients[0]?.closed).toBe('')
    for (const { socket } of [...clients, next]) socket.destroy()
    await server.stop()
  })

  it.each([
    ['--max-connections', '0'],
    ['--min-body-rate', 'slow'],
    ['--max-header-size', '0'],
  ])('refuses %s %s as wrong usage', async (...flag) => {
    const { code, stderr } = await createSession().run(...command, ...flag)
    expect(code).toBe(2)
    expect(stderr).toContain(flag[0])
  })
})
