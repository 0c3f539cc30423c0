import { readFileSync } from 'node:fs'
import { get, request as httpRequest } from 'node:http'
import { get as getSecure } from 'node:https'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { hashSync } from 'bcryptjs'
import { Interrupted } from '../../src/cli/terminal/io.ts'
import { createSession, type Run, type Session } from './session.ts'
import { writeApp } from './small-app.ts'

const USERS = `ann:${hashSync('pa:ss', 4)}\n`

/** For 127.0.0.1, signed by itself. */
const [CERT, KEY] = ['cert', 'key'].map((name) =>
  readFileSync(new URL(`../fixtures/tls/${name}.pem`, import.meta.url), 'utf8'),
) as [string, string]

/** Runs a server until `work` is done with its address. */
async function served(
  args: readonly string[],
  work: (url: string) => Promise<void>,
  session: Session = createSession(),
): Promise<Run> {
  const stop = new AbortController()
  let done: Promise<void> | undefined
  const run = await session.runWith(
    {
      signal: stop.signal,
      onStdout: (text) => {
        const { url } = JSON.parse(text) as { url: string }
        done = work(url).finally(() => stop.abort(new Interrupted('SIGINT')))
        done.catch(() => {})
      },
    },
    ...['serve', '--json', ...(args.includes('--address') ? [] : ['--address', '127.0.0.1:0'])],
    ...args,
  )
  await done
  return run
}

const basic = (user: string, password: string): Record<string, string> => ({
  Authorization: `Basic ${btoa(`${user}:${password}`)}`,
})

/** Status of a request by another name than the address's. */
function statusAs(host: string, url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(`${url}/v2/`, { headers: { host } }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode))
    }).once('error', reject)
  })
}

it('serves a registry until it is stopped, and ends well', async () => {
  const run = await served([], async (url) => {
    expect((await fetch(`${url}/v2/`)).status).toBe(200)
  })
  expect(run).toMatchObject({ code: 0, stderr: '' })
})

it('takes no blob or manifest longer than its flags say', async () => {
  await served(['--max-blob-size', '10', '--max-manifest-size', '20'], async (url) => {
    const digest = async (bytes: Uint8Array<ArrayBuffer>): Promise<string> =>
      `sha256:${Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('hex')}`
    const pushed = async (size: number): Promise<number> => {
      const body = new Uint8Array(size)
      const place = `${url}/v2/a/blobs/uploads/?digest=${await digest(body)}`
      return (await fetch(place, { method: 'POST', body })).status
    }
    expect([await pushed(10), await pushed(11)]).toEqual([201, 413])
    const type = 'application/vnd.oci.image.manifest.v1+json'
    const manifest = { method: 'PUT', headers: { 'content-type': type } }
    const put = async (body: string): Promise<number> =>
      (await fetch(`${url}/v2/a/manifests/1`, { ...manifest, body })).status
    expect([await put('{}'), await put('{"a":"0123456789012"}')]).toEqual([400, 413])
  })
})

it('says where it serves, and warns when others may write', async () => {
  const stop = new AbortController()
  const run = await createSession().runWith(
    { signal: stop.signal, onStdout: () => stop.abort(new Interrupted('SIGINT')) },
    ...['serve', '--address', '0.0.0.0:0', '--unauthenticated'],
  )
  expect(run.stdout).toMatch(/^Serving an OCI registry on http:\/\/0\.0\.0\.0:\d+\n$/)
  expect(run.stderr).toContain('can write to it: it requires no password')
})

it('fails when the address is taken', async () => {
  const other = createServer()
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done))
  const { port } = other.address() as { port: number }
  const run = await createSession().run('serve', '--address', `127.0.0.1:${port}`)
  await new Promise((done) => other.close(done))
  expect(run).toMatchObject({ code: 1, stdout: '' })
  expect(run.stderr).toContain(`cannot listen on 127.0.0.1:${port}`)
  expect(run.stderr).toContain('EADDRINUSE')
})

describe('who may use it', () => {
  it.each(['0.0.0.0:0', '[::]:0', '10.0.0.1:0', '127.0.0.1.evil.example:0', '127.evil.example:0'])(
    'has to be said on %s, which others reach',
    async (address) => {
      for (const more of [[], ['--read-only']]) {
        const run = await createSession().run('serve', '--address', address, ...more)
        expect(run).toMatchObject({ code: 2, stdout: '' })
        expect(run.stderr).toMatch(/--htpasswd-file.*--unauthenticated/)
      }
    },
  )

  it('is everyone or the users of a file, not both', async () => {
    const session = createSession()
    session.write('users', USERS)
    const run = await session.run('serve', '--unauthenticated', '--htpasswd-file', 'users')
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toContain('--htpasswd-file')
  })

  it('is nobody without a password of the file, reads included', async () => {
    const session = createSession()
    session.write('users', USERS)
    const work = async (url: string): Promise<void> => {
      const anonymous = await fetch(`${url}/v2/`)
      expect(anonymous.status).toBe(401)
      expect(anonymous.headers.get('WWW-Authenticate')).toBe(
        'Basic realm="registry",charset="UTF-8"',
      )
      const status = async (method: string, path: string, headers = {}): Promise<number> =>
        (await fetch(`${url}${path}`, { method, headers })).status
      for (const [method, path] of [
        ['GET', '/v2/_catalog'],
        ['GET', '/v2/a/tags/list'],
        ['POST', '/v2/a/blobs/uploads/'],
        ['DELETE', '/v2/a/manifests/v1'],
      ] as const) {
        expect(await status(method, path)).toBe(401)
        expect(await status(method, path, basic('ann', 'wrong'))).toBe(401)
        expect(await status(method, path, basic('bob', 'pa:ss'))).toBe(401)
      }
      expect(await status('GET', '/v2/', basic('ann', 'pa:ss'))).toBe(200)
      expect(await status('POST', '/v2/a/blobs/uploads/', basic('ann', 'pa:ss'))).toBe(202)
    }
    const run = await served(['--htpasswd-file', 'users'], work, session)
    expect(run).toMatchObject({ code: 0, stderr: '' })
  })

  it('may be served to others over plain http with a warning, and over https without', async () => {
    const session = createSession()
    session.write('users', USERS)
    session.write('cert.pem', CERT)
    session.write('key.pem', KEY)
    const args = ['--address', '0.0.0.0:0', '--htpasswd-file', 'users']
    const plain = await served(args, async () => {}, session)
    expect(plain.code).toBe(0)
    expect(plain.stderr).toMatch(/unencrypted.*--tls-cert/)
    const tls = [...args, '--tls-cert', 'cert.pem', '--tls-key', 'key.pem']
    expect(await served(tls, async () => {}, session)).toMatchObject({ code: 0, stderr: '' })
  })

  it('logs in, pushes and pulls with the commands of a client', async () => {
    const session = createSession()
    session.write('users', USERS)
    writeApp(session)
    const work = async (url: string): Promise<void> => {
      const { host } = new URL(url)
      const push = ['registry', 'push', '-f', 'app', `${host}/hello:1`]
      const refused = await session.run(...push)
      expect(refused.code).toBe(1)
      expect(refused.stderr).toContain('spindle registry login')
      const login = (password: string): Promise<Run> =>
        session.run('registry', 'login', host, '-u', 'ann', '-p', password)
      expect((await login('wrong')).code).toBe(1)
      expect((await login('pa:ss')).code).toBe(0)
      expect(await session.run(...push)).toMatchObject({ code: 0 })
      const pulled = await session.run('registry', 'pull', `${host}/hello:1`, '-o', 'pulled')
      expect(pulled.code).toBe(0)
    }
    expect((await served(['--htpasswd-file', 'users'], work, session)).code).toBe(0)
  })

  it('has to be in a file of bcrypt hashes, of a cost that is allowed', async () => {
    const session = createSession()
    session.write('users', 'ann:$apr1$abcdefgh$Wi6tS5Yn1P0LJqn0cXo0u1\n')
    const weak = await session.run('serve', '--htpasswd-file', 'users')
    expect(weak).toMatchObject({ code: 1, stdout: '' })
    expect(weak.stderr).toMatch(/ERR_CREDENTIALS_INVALID.*users:1.*MD5/)
    session.write('users', USERS.replace('$04$', '$15$'))
    const dear = await session.run('serve', '--htpasswd-file', 'users')
    expect(dear).toMatchObject({ code: 1, stdout: '' })
    expect(dear.stderr).toContain('--htpasswd-max-cost')
    const allowed = ['--htpasswd-file', 'users', '--htpasswd-max-cost', '15']
    expect((await served(allowed, async () => {}, session)).code).toBe(0)
    const wrong = await session.run('serve', '--htpasswd-max-cost', '99')
    expect(wrong).toMatchObject({ code: 2, stdout: '' })
    const alone = await session.run('serve', '--htpasswd-max-cost', '15')
    expect(alone).toMatchObject({ code: 2, stdout: '' })
    expect(alone.stderr).toContain('needs --htpasswd-file')
    const missing = await session.run('serve', '--htpasswd-file', 'gone')
    expect(missing).toMatchObject({ code: 1, stdout: '' })
    expect(missing.stderr).toContain('ERR_FILE_MISSING')
  })
})

describe('https', () => {
  it('is served with a certificate and its key', async () => {
    const session = createSession()
    session.write('cert.pem', CERT)
    session.write('key.pem', KEY)
    const work = async (url: string): Promise<void> => {
      expect(url).toMatch(/^https:/)
      const status = new Promise((resolve, reject) => {
        getSecure(`${url}/v2/`, { ca: CERT, agent: false }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode))
        }).once('error', reject)
      })
      expect(await status).toBe(200)
    }
    const run = await served(['--tls-cert', 'cert.pem', '--tls-key', 'key.pem'], work, session)
    expect(run).toMatchObject({ code: 0, stderr: '' })
    const alone = await session.run('serve', '--tls-cert', 'cert.pem')
    expect(alone).toMatchObject({ code: 2 })
    expect(alone.stderr).toContain('--tls-key')
  })
})

describe('browsers', () => {
  const post = (url: string, origin: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(
        `${url}/v2/a/blobs/uploads/`,
        { method: 'POST', headers: { Origin: origin } },
        (response) => response.resume().once('end', () => resolve(response.statusCode)),
      )
      sent.once('error', reject).end()
    })

  it('write for no page but those of --cors', async () => {
    const args = ['--cors', 'https://app.example', '--cors', 'http://localhost:3000']
    await served(args, async (url) => {
      expect(await post(url, 'https://app.example')).toBe(202)
      expect(await post(url, 'http://localhost:3000')).toBe(202)
      expect(await post(url, 'https://evil.example')).toBe(403)
      const read = await fetch(`${url}/v2/`, { headers: { Origin: 'https://app.example' } })
      expect(read.headers.get('Access-Control-Allow-Origin')).toBe('https://app.example')
    })
    const wrong = await createSession().run('serve', '--cors', 'app.example')
    expect(wrong).toMatchObject({ code: 2, stdout: '' })
    expect(wrong.stderr).toContain('https://app.example')
  })

  it('and others reach it by no name but those of loopback and --allow-host', async () => {
    await served(['--allow-host', 'registry.test', '--allow-host', '*.lan'], async (url) => {
      expect(await statusAs('registry.test', url)).toBe(200)
      expect(await statusAs('box.lan', url)).toBe(200)
      expect(await statusAs('localhost', url)).toBe(200)
      expect(await statusAs('evil.example', url)).toBe(421)
    })
    await served([], async (url) => expect(await statusAs('registry.test', url)).toBe(421))
    await served(['--allow-host', '*'], async (url) =>
      expect(await statusAs('evil.example', url)).toBe(200),
    )
    const wrong = await createSession().run('serve', '--allow-host', 'http://registry.test')
    expect(wrong).toMatchObject({ code: 2, stdout: '' })
  })
})
