import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { http2Client } from '../node/http2-clients.ts'
import { createSession, type Session } from './session.ts'

const hello = fileURLToPath(new URL('../../examples/hello', import.meta.url))

/** With a certificate for 127.0.0.1, signed by itself. */
function sessionWithFiles(): Session {
  const session = createSession()
  for (const name of ['cert.pem', 'key.pem'])
    session.write(name, readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), 'utf8'))
  return session
}

/** Runs `up` until `work` is done with its address. */
async function upWhile(
  session: Session,
  args: readonly string[],
  work: (url: string) => Promise<void>,
): Promise<{ code: number; stderr: string }> {
  const stop = new AbortController()
  let done: Promise<void> | undefined
  const run = await session.runWith(
    {
      signal: stop.signal,
      onStdout: (text) => {
        const { url } = JSON.parse(text) as { url: string }
        done = work(url).finally(() => stop.abort())
      },
    },
    ...['up', '-f', hello, '--listen', '127.0.0.1:0', '--json', ...args],
  )
  await done
  return run
}

const asksBy = async (url: string): Promise<void> => {
  const answer = await http2Client(url).ask({ ':path': '/hello/Ann' })
  expect(answer.body).toContain('Hello')
}

describe('up', () => {
  it('answers HTTP/2 to clients that begin with it', async () => {
    const run = await upWhile(sessionWithFiles(), [], async (url) => {
      expect(url).toMatch(/^http:/)
      await asksBy(url)
    })
    expect(run.code).toBe(0)
  })

  it('speaks https with --tls-cert and --tls-key, and HTTP/2 with those that choose it', async () => {
    const flags = ['--tls-cert', 'cert.pem', '--tls-key', 'key.pem']
    const run = await upWhile(sessionWithFiles(), flags, async (url) => {
      expect(url).toMatch(/^https:/)
      await asksBy(url)
    })
    expect(run.code).toBe(0)
  })

  it('reads them from Spin’s variables too', async () => {
    const session = sessionWithFiles()
    Object.assign(session.env, { SPIN_TLS_CERT: 'cert.pem', SPIN_TLS_KEY: 'key.pem' })
    const run = await upWhile(session, [], async (url) => expect(url).toMatch(/^https:/))
    expect(run.code).toBe(0)
  })

  it('refuses one without the other, and files that are none', async () => {
    const session = sessionWithFiles()
    const alone = await session.run('up', '-f', hello, '--tls-cert', 'cert.pem')
    expect(alone.code).toBe(2)
    expect(alone.stderr).toContain('--tls-key')
    const swapped = ['--tls-cert', 'key.pem', '--tls-key', 'cert.pem']
    const wrong = await session.run('up', '-f', hello, ...swapped)
    expect(wrong.code).not.toBe(0)
    expect(wrong.stderr).toMatch(/certificate/)
  })
})
