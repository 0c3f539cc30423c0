// The published reference implementation of Bindle as a peer, in both directions. Left out where it
// isn't compiled.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBindleClient, type BindleClient } from '../../src/bindle/client.ts'
import { canonicalName } from '../../src/bindle/id.ts'
import {
  exportPublicKey,
  formatKeyring,
  openSecretKey,
  parseSecretKeys,
} from '../../src/bindle/keyring.ts'
import { formatInvoice } from '../../src/bindle/invoice.ts'
import { openBindle } from '../../src/bindle/open-bindle.ts'
import { pushStandalone } from '../../src/bindle/push-standalone.ts'
import { signInvoice, verifyInvoice } from '../../src/bindle/signature.ts'
import {
  formatStandalone,
  packStandalone,
  parseStandalone,
  type StandaloneBindle,
  unpackStandalone,
} from '../../src/bindle/standalone.ts'
import { listen, type Listener } from '../../src/node/listen/listen.ts'
import { readDirectory } from '../../src/node/files/directory.ts'
import { writeDirectory } from '../../src/node/files/write-directory.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { authorizeBindleBasic } from '../../src/serve/bindle/authorize.ts'
import type { Ed25519Key } from '../../src/bytes/ed25519.ts'
import type { App } from '../../src/spin/source/app.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { appToBindle } from '../../src/spin/bindle/to-bindle.ts'
import { pullBindle } from '../../src/verbs/pull-bindle.ts'
import { pushBindle } from '../../src/verbs/push-bindle.ts'
import { bindleOf } from '../bindle/small-bindle.ts'
import {
  bindlePeer,
  missingPeer,
  type PeerServer,
  runPeer,
  startPeer,
} from './bindle-peer-process.ts'

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/bindle/${name}`, import.meta.url))
const keysOf = (name: string): ReturnType<typeof parseSecretKeys> =>
  parseSecretKeys(readFileSync(fixture(name), 'utf8'))
const [creator] = keysOf('creator_secret_keys.toml').key
const [host] = keysOf('host_secret_keys.toml').key

/** One version after another, so that no test meets what another left. */
let count = 0
const nextApp = (): Promise<App> =>
  loadApp({
    'spin.toml': `spin_version = "1"
name = "hello"
version = "1.${++count}.0"
trigger = { type = "http", base = "/" }
[[component]]
id = "web"
source = "web.wasm"
files = [{ source = "static", destination = "/" }]
[component.trigger]
route = "/..."
`,
    'web.wasm': Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
    'static/index.html': `<h1>${count}</h1>`,
    'static/again.html': `<h1>${count}</h1>`,
    'static/empty': '',
    'static/deep/er/größe.css': 'p{}',
  })

it('the reference implementation of Bindle is a peer', (context) => {
  if (bindlePeer === undefined) context.skip(missingPeer)
  expect(existsSync(bindlePeer ?? '')).toBe(true)
})

describe.runIf(bindlePeer !== undefined)('the reference implementation of Bindle', () => {
  const peer = bindlePeer ?? ''
  const folder = mkdtempSync(join(tmpdir(), 'spindle-bindle-'))
  const path = (...names: string[]): string => join(folder, ...names)
  const keys = { keyring: path('keyring.toml'), signingKeys: fixture('host_secret_keys.toml') }
  const signer = async (): Promise<{ key: Ed25519Key; by: string }> => ({
    key: await openSecretKey(creator!),
    by: creator!.label,
  })
  const signed = async (bindle: StandaloneBindle): Promise<StandaloneBindle> => ({
    ...bindle,
    invoice: await signInvoice(bindle.invoice, await openSecretKey(creator!), {
      role: 'creator',
      by: creator!.label,
    }),
  })

  beforeAll(async () => {
    const key = [await exportPublicKey(creator!), await exportPublicKey(host!)]
    writeFileSync(keys.keyring, formatKeyring({ version: '1.0', key }))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  describe.each([['over files'], ['over its embedded database', '--embedded']])(
    'its server %s',
    (_, ...flags) => {
      let server: PeerServer
      let client: BindleClient
      beforeAll(async () => {
        server = await startPeer(peer, keys, ...flags)
        client = createBindleClient(server.url, { retry: false })
      })
      afterAll(() => server.stop())

      it('takes our signed push, once, and gives every byte back', async () => {
        const app = await nextApp()
        const stored = await pushBindle(app, client, { signer: await signer() })
        expect(stored.signature?.map(({ role }) => role)).toEqual(['creator', 'host'])
        const id = `hello/${stored.bindle.version}`
        await pushBindle(app, client, { signer: await signer() })
        const pulled = await pullBindle({ client, id })
        expect(await pulled.component('web')).toEqual(await app.components[0]?.wasm())
        const files = await pulled.files('web')
        expect([...files.keys()].sort()).toEqual([...app.components[0]!.fileTree.keys()].sort())
        for (const [name, content] of app.components[0]!.fileTree)
          expect(files.get(name)).toEqual(content)
        expect(await verifyInvoice(stored, await ringOf(), { honourRoles: true })).toHaveLength(2)
      })

      it('says what it lacks, lists, shows its keys and yanks', async () => {
        const bindle = await signed(await appToBindle(await nextApp()))
        const { missing } = await client.create(bindle.invoice)
        // The page is new, all else came with the one before.
        const pages = bindle.invoice.parcel!.filter(({ label }) => label.mediaType === 'text/html')
        expect(missing).toEqual([pages[1]?.label])
        expect(await client.missing(bindle.id)).toEqual(missing)
        // A push that somebody else began.
        await pushStandalone(client, bindle)
        const found: string[] = []
        for await (const entry of client.query('hello', { version: `=${bindle.id.version}` }))
          found.push(entry.bindle.version)
        expect(found).toEqual([bindle.id.version])
        expect(await client.generation()).toBe('0.9')
        expect((await client.keys()).key).toMatchObject([{ label: host!.label, roles: ['host'] }])
        await client.yank(bindle.id)
        await expect(client.invoice(bindle.id)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
        await expect(pushStandalone(client, bindle)).rejects.toMatchObject({ code: 'ERR_CONFLICT' })
      })

      it('refuses what is unsigned, in words that we pass on', async () => {
        await expect(pushBindle(await nextApp(), client)).rejects.toThrow('No signatures found')
      })
    },
  )

  it('is caught where a broken upload has made a parcel unusable, in each way in', async () => {
    const server = await startPeer(peer, keys)
    const client = createBindleClient(server.url, { retry: false })
    try {
      const bindle = await signed(await bindleOf(['poisoned']))
      await client.create(bindle.invoice)
      const { sha256 } = bindle.invoice.parcel![0]!.label
      const broken = { method: 'POST', body: 'something!' }
      expect((await fetch(`${server.url}/_i/${bindle.id}@${sha256}`, broken)).status).toBe(400)
      const said = { code: 'ERR_CONFLICT', message: expect.stringContaining(sha256) }
      await expect(pushStandalone(client, bindle)).rejects.toMatchObject(said)
      // Under another version the server even says 201: nothing missing.
      const other = await signed(await bindleOf(['poisoned'], '2.0.0'))
      await expect(pushStandalone(client, other)).rejects.toMatchObject(said)
    } finally {
      await server.stop()
    }
  })

  it('lets users in, and reads without', async () => {
    writeFileSync(
      path('htpasswd'),
      'admin:$2y$05$JijGNWPIhj4CZwYSFAF/5umPUgVsuEma.Ya5aSNT6fEwD.uU8Llt.\n',
    )
    const server = await startPeer(peer, keys, '--htpasswd', path('htpasswd'))
    const as = (password?: string): BindleClient =>
      createBindleClient(server.url, {
        retry: false,
        ...(password === undefined ? {} : { credentials: { username: 'admin', password } }),
      })
    try {
      const bindle = await signed(await bindleOf(['red']))
      await expect(pushStandalone(as(), bindle)).rejects.toMatchObject({ status: 403 })
      await expect(pushStandalone(as('wrong'), bindle)).rejects.toMatchObject({ status: 401 })
      await pushStandalone(as('sw0rdf1sh'), bindle)
      // What is wrong is refused even for reading there; without it everybody may.
      expect(await as('wrong').missing(bindle.id)).toEqual([])
    } finally {
      await server.stop()
    }
  })

  describe('its client with our server', () => {
    let ours: Listener
    let env: Record<string, string>
    let client: BindleClient
    beforeAll(async () => {
      ours = await listen(createBindleHandler({ keyring: await ringOf(), hostKey: host! }))
      client = createBindleClient(`${ours.url}/v1`, { retry: false })
      env = {
        BINDLE_URL: `${ours.url}/v1`,
        BINDLE_KEYRING: keys.keyring,
        BINDLE_SIGNING_KEYS: fixture('creator_secret_keys.toml'),
      }
    })
    afterAll(() => ours.close())

    it('pushes our standalone bindle from its folder, and gets it into one that we read', async () => {
      const bindle = await signed(await appToBindle(await nextApp()))
      await writeDirectory(path('staging'), await formatStandalone(bindle))
      const said = await runPeer(peer, env, 'push', String(bindle.id), path('staging'))
      expect(said).toBe(`pushed: ${bindle.id}\n`)
      expect(await client.missing(bindle.id)).toEqual([])
      await runPeer(peer, env, 'get', String(bindle.id), path('got'), '--tarball')
      const folderOf = await canonicalName(bindle.id)
      expect(readdirSync(path('got')).sort()).toEqual([folderOf, `${folderOf}.tar.gz`])
      const read = await parseStandalone(await readDirectory(path('got', folderOf)), bindle.id)
      const unpacked = await unpackStandalone(readFileSync(path('got', `${folderOf}.tar.gz`)))
      for (const { invoice, parcels } of [read, unpacked]) {
        expect(invoice.parcel).toEqual(bindle.invoice.parcel)
        expect([...parcels.keys()].sort()).toEqual([...bindle.parcels.keys()].sort())
        expect(await verifyInvoice(invoice, await ringOf())).toHaveLength(2)
      }
      // And on to another server of ours.
      const other = createBindleClient('http://other.test/v1', {
        insecure: ['other.test'],
        fetch: createBindleHandler().fetch,
      })
      await pushStandalone(other, unpacked)
      expect((await openBindle(other, bindle.id)).parcels.size).toBe(bindle.parcels.size)
    })

    it('pushes our tarball', async () => {
      const bindle = await signed(await appToBindle(await nextApp()))
      const chunks: Uint8Array[] = []
      for await (const chunk of packStandalone(bindle)) chunks.push(chunk)
      const name = `${await canonicalName(bindle.id)}.tar.gz`
      await writeDirectory(path('packed'), new Map([[name, Buffer.concat(chunks)]]))
      await runPeer(peer, env, 'push', String(bindle.id), path('packed'))
      expect(await client.missing(bindle.id)).toEqual([])
    })

    it('signs an invoice of ours, pushes it and its parcel one by one, asks and yanks', async () => {
      const bindle = await bindleOf(['alone'], '3.0.0')
      writeFileSync(path('invoice.toml'), formatInvoice(bindle.invoice))
      writeFileSync(path('alone'), 'alone')
      const { sha256 } = bindle.invoice.parcel![0]!.label
      expect(await runPeer(peer, env, 'push-invoice', path('invoice.toml'))).toContain(sha256)
      const id = String(bindle.id)
      expect(await runPeer(peer, env, 'push-file', id, path('alone'))).toContain(sha256)
      expect(await runPeer(peer, env, 'query', 'team', '^3')).toBe(`${id}\n`)
      expect(await runPeer(peer, env, 'get-invoice', id)).toContain('role = "host"')
      expect(await runPeer(peer, env, 'keys')).toContain(host!.label)
      expect(await runPeer(peer, env, 'yank', id)).toBe(`yanked: ${id}\n`)
      await expect(runPeer(peer, env, 'get-invoice', id)).rejects.toThrow()
    })

    it('logs in by user and password', async () => {
      const authorize = authorizeBindleBasic((user, password) => user === 'a' && password === 'b')
      const guarded = await listen(createBindleHandler({ authorize }))
      const bindle = await signed(await appToBindle(await nextApp()))
      await writeDirectory(path('guarded'), await formatStandalone(bindle))
      const asked = { ...env, BINDLE_URL: `${guarded.url}/v1` }
      const push = ['push', String(bindle.id), path('guarded')]
      try {
        await expect(runPeer(peer, asked, ...push)).rejects.toThrow()
        const login = { BINDLE_HTTP_USER: 'a', BINDLE_HTTP_PASSWORD: 'b' }
        await runPeer(peer, { ...asked, ...login }, ...push)
      } finally {
        await guarded.close()
      }
    })
  })
})

async function ringOf(): Promise<Parameters<typeof verifyInvoice>[1]> {
  return {
    version: '1.0',
    key: [await exportPublicKey(creator!), await exportPublicKey(host!)],
  }
}
