import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { get } from 'node:https'
import { describe, expect, it } from 'vitest'
import { createBindleClient } from '../../src/bindle/client.ts'
import {
  exportPublicKey,
  formatKeyring,
  generateSecretKey,
  openSecretKey,
} from '../../src/bindle/keyring.ts'
import { pushStandalone } from '../../src/bindle/push-standalone.ts'
import { signInvoice } from '../../src/bindle/signature.ts'
import { bindleOf, NO_RETRY } from '../bindle/small-bindle.ts'
import { createSession, type Run, type Session } from './session.ts'

/** What `htpasswd -nbB -C 5 admin sw0rdf1sh` wrote. */
const HTPASSWD = 'admin:$2y$05$JijGNWPIhj4CZwYSFAF/5umPUgVsuEma.Ya5aSNT6fEwD.uU8Llt.'

/** For 127.0.0.1, signed by itself. */
const [CERT, KEY] = ['cert', 'key'].map((name) =>
  readFileSync(new URL(`../fixtures/tls/${name}.pem`, import.meta.url), 'utf8'),
) as [string, string]

/** Status of a GET by a client that trusts this certificate and no other. */
function statusOver(url: string, ca: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { ca, agent: false }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode))
    }).once('error', reject)
  })
}

/** Runs a server until `work` is done with its address. */
async function served(
  session: Session,
  args: readonly string[],
  work: (url: string) => Promise<void>,
): Promise<Run> {
  const stop = new AbortController()
  let done: Promise<void> | undefined
  const run = await session.runWith(
    {
      signal: stop.signal,
      onStdout: (text) => {
        const { url } = JSON.parse(text) as { url: string }
        done = work(url).finally(() => stop.abort())
        done.catch(() => {})
      },
    },
    ...['bindle-server', '--address', '127.0.0.1:0', '--json', ...args],
  )
  await done
  return run
}

describe('bindle-server', () => {
  it('keeps in a folder what is pushed to it, and signs it as host with the key that it made', async () => {
    const session = createSession()
    const bindle = await bindleOf(['red', 'green'])
    const args = ['--directory', 'kept', '--unauthenticated']
    const first = await served(session, args, async (url) => {
      const { invoice } = await pushStandalone(createBindleClient(url, NO_RETRY), bindle)
      expect(invoice.signature).toMatchObject([{ by: 'Default host key', role: 'host' }])
    })
    expect(first.code).toBe(0)
    const keys = session.path('.config/bindle/signing-keys.toml')
    expect(statSync(keys).mode & 0o777).toBe(0o600)
    const made = readFileSync(keys, 'utf8')
    const again = await served(session, args, async (url) => {
      expect(await createBindleClient(url, NO_RETRY).missing(bindle.id)).toEqual([])
    })
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(keys, 'utf8')).toBe(made)
  })

  it('takes no parcel longer than --max-parcel-size', async () => {
    const args = ['--directory', 'kept', '--unauthenticated', '--max-parcel-size', '10']
    await served(createSession(), args, async (url) => {
      const push = async (text: string): Promise<unknown> =>
        pushStandalone(createBindleClient(url, NO_RETRY), await bindleOf(['one', text]))
      await expect(push('0123456789a')).rejects.toMatchObject({ status: 413 })
    })
  })

  it('takes its settings from the variables of the reference server', async () => {
    const session = createSession()
    const ann = await generateSecretKey('Ann', ['creator'])
    const keyring = { version: '1.0', key: [await exportPublicKey(ann)] } as const
    session.write('keyring.toml', formatKeyring(keyring))
    session.env['BINDLE_DIRECTORY'] = session.path('elsewhere')
    session.env['BINDLE_SIGNING_KEYS'] = session.path('own-keys.toml')
    session.env['BINDLE_VERIFICATION_STRATEGY'] = 'CreativeIntegrity'
    const bindle = await bindleOf(['red'])
    await served(session, ['--unauthenticated', '--keyring', 'keyring.toml'], async (url) => {
      const client = createBindleClient(url, NO_RETRY)
      await expect(pushStandalone(client, bindle)).rejects.toThrow('No signatures found')
      const signer = { role: 'creator', by: 'Ann' } as const
      const invoice = await signInvoice(bindle.invoice, await openSecretKey(ann), signer)
      await pushStandalone(client, { ...bindle, invoice })
    })
    session.write(
      'keyring.toml',
      formatKeyring({ ...keyring, key: [{ ...keyring.key[0]!, roles: ['approver'] }] }),
    )
    const other = await bindleOf(['red'], '2.0.0')
    const strict = ['--unauthenticated', '--keyring', 'keyring.toml', '--key-roles']
    await served(session, strict, async (url) => {
      const signer = { role: 'creator', by: 'Ann' } as const
      const invoice = await signInvoice(other.invoice, await openSecretKey(ann), signer)
      const client = createBindleClient(url, NO_RETRY)
      await expect(pushStandalone(client, { ...other, invoice })).rejects.toThrow('as creator')
    })
    expect(statSync(session.path('elsewhere')).isDirectory()).toBe(true)
    expect(readFileSync(session.path('own-keys.toml'), 'utf8')).toContain('Default host key')
    session.env['BINDLE_VERIFICATION_STRATEGY'] = 'Some'
    const wrong = await session.run('bindle-server', '--unauthenticated')
    expect(wrong).toMatchObject({ code: 2 })
    expect(wrong.stderr).toContain('BINDLE_VERIFICATION_STRATEGY')
  })

  it('lets those in that htpasswd wrote, to read everybody', async () => {
    const session = createSession()
    session.write('users', `# users\n${HTPASSWD}\n`)
    const bindle = await bindleOf(['red'])
    const args = ['--directory', 'kept', '--htpasswd-file', 'users']
    const run = await served(session, args, async (url) => {
      const as = (password: string): ReturnType<typeof createBindleClient> =>
        createBindleClient(url, { ...NO_RETRY, credentials: { username: 'admin', password } })
      const anyone = createBindleClient(url, NO_RETRY)
      await expect(pushStandalone(anyone, bindle)).rejects.toMatchObject({ status: 403 })
      await expect(pushStandalone(as('wrong'), bindle)).rejects.toMatchObject({ status: 401 })
      await pushStandalone(as('sw0rdf1sh'), bindle)
      expect(await anyone.missing(bindle.id)).toEqual([])
    })
    expect(run.code).toBe(0)
  })

  it('speaks https with a certificate, by the flags or the variables of the reference server', async () => {
    const session = createSession()
    session.write('cert.pem', CERT)
    session.write('key.pem', KEY)
    const args = ['--directory', 'kept', '--unauthenticated']
    const reached = async (url: string): Promise<void> => {
      expect(url).toMatch(/^https:/)
      expect(await statusOver(`${url}/_q`, CERT)).toBe(200)
    }
    const flags = ['--tls-cert', 'cert.pem', '--tls-key', 'key.pem']
    expect(await served(session, [...args, ...flags], reached)).toMatchObject({ code: 0 })
    session.env['BINDLE_TLS_CERT'] = 'cert.pem'
    session.env['BINDLE_TLS_KEY'] = 'key.pem'
    expect(await served(session, args, reached)).toMatchObject({ code: 0 })
  })

  it('answers to the host names and pages that it is told, and to no others', async () => {
    const status = (url: string, headers: Record<string, string>): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const sent = request(`${url}/_q`, { method: 'POST', headers }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode))
        })
        sent.once('error', reject).end()
      })
    const args = ['--directory', 'kept', '--unauthenticated']
    const named = ['--allow-host', 'bindle.test', '--cors', 'https://app.example']
    await served(createSession(), [...args, ...named], async (url) => {
      // 405: it is a query, but it was let in.
      expect(await status(url, { host: 'bindle.test' })).toBe(405)
      expect(await status(url, { origin: 'https://app.example' })).toBe(405)
      expect(await status(url, { host: 'evil.example' })).toBe(421)
      expect(await status(url, { origin: 'https://evil.example' })).toBe(403)
    })
    const wrong = await createSession().run('bindle-server', ...args, '--cors', 'app.example')
    expect(wrong).toMatchObject({ code: 2 })
  })

  it('says before it listens that a certificate has no key, another or none that can be read', async () => {
    const session = createSession()
    session.write('cert.pem', CERT)
    const start = (...more: string[]): Promise<Run> =>
      session.run('bindle-server', '--unauthenticated', '--tls-cert', 'cert.pem', ...more)
    const alone = await start()
    expect(alone).toMatchObject({ code: 2 })
    expect(alone.stderr).toContain('--tls-key')
    const missing = await start('--tls-key', 'gone.pem')
    expect(missing).toMatchObject({ code: 1 })
    expect(missing.stderr).toMatch(/no file .*gone\.pem/)
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    session.write('other.pem', other.export({ type: 'pkcs8', format: 'pem' }))
    for (const key of ['cert.pem', 'other.pem']) {
      const wrong = await start('--tls-key', key)
      expect(wrong).toMatchObject({ code: 1 })
      expect(wrong.stderr).toContain('not a certificate and its private key')
    }
  })

  it('asks who may push, and refuses hashes that are soon broken', async () => {
    const session = createSession()
    expect(await session.run('bindle-server')).toMatchObject({ code: 2 })
    session.write('users', 'ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n')
    const weak = await session.run('bindle-server', '--htpasswd-file', 'users')
    expect(weak).toMatchObject({ code: 1 })
    expect(weak.stderr).toMatch(/ERR_CREDENTIALS_INVALID.*users:1/)
    expect(weak.stderr).not.toContain('W6ph5Mm5')
  })
})
