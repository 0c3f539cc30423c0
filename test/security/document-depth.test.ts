import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseInvoice } from '../../src/bindle/invoice.ts'
import { parseKeyring, parseSecretKeys } from '../../src/bindle/keyring.ts'
import { parseTokenFile } from '../../src/bindle/oidc.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { SpindleError } from '../../src/errors.ts'
import { createTransport } from '../../src/http/transport.ts'
import { UsageError } from '../../src/cli/terminal/io.ts'
import { loadPolicyFile } from '../../src/cli/sign/policy-file.ts'
import { loadJsonObject } from '../../src/node/credentials/auth-file.ts'
import { listen } from '../../src/node/listen/listen.ts'
import { parseManifest } from '../../src/oci/manifest.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { parseBindleManifest } from '../../src/spin/bindle/bindle-manifest.ts'
import { parseAppManifest } from '../../src/spin/manifest/manifest.ts'
import { parseLockedApp } from '../../src/spin/lock/parse-locked-app.ts'
import { parseBundle } from '../../src/trust/bundle/bundle.ts'
import { parseSigningConfig } from '../../src/trust/keyless/signing-config.ts'
import { publicGoodTufRoot } from '../../src/trust/root/trust-root.ts'
import { parseTrustedRoot } from '../../src/trust/root/trusted-root.ts'
import { updateTrustedRoot } from '../../src/trust/root/tuf.ts'
import { clientOf } from '../bindle/small-bindle.ts'

// A document of a few bytes for each level or key becomes a tree that fills the memory, or a walk
// over it that ends the stack: it is refused before there is a tree.

const folder = mkdtempSync(join(tmpdir(), 'spindle-documents-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const fileOf = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

/** Answers whatever is asked with a document. */
const answering = (text: string, type = 'application/json', status = 200) => ({
  retry: false as const,
  fetch: async () => new Response(text, { status, headers: { 'content-type': type } }),
})
const repository = (text: string, type?: string) =>
  createRepository('registry.test/a', answering(text, type))
const toArray = async (list: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of list) expect.unreachable()
}
const at = { mediaType: 'a/b', digest: `sha256:${'0'.repeat(64)}`, size: 2 } as const

const INDEX = 'application/vnd.oci.image.index.v1+json'

type Reader = (text: string) => unknown
const JSON_READERS: readonly (readonly [string, Reader])[] = [
  ['an invoice', (text) => parseInvoice(text, 'it', 'json')],
  ['a locked application', (text) => parseLockedApp(encodeUtf8(text))],
  ['a manifest', (text) => parseManifest(encodeUtf8(text))],
  ['a manifest of a registry', (text) => repository(text, INDEX).resolve('1')],
  ['a list of tags', (text) => toArray(repository(text).tags())],
  ['a list of referrers', (text) => toArray(repository(text, INDEX).referrers(at))],
  ['an answer of a Bindle server', (text) => clientOf(answering(text)).invoice('a/1.0.0')],
  ['a page of invoices', (text) => toArray(clientOf(answering(text)).query(''))],
  ['a bundle', (text) => parseBundle(text)],
  ['a trusted root', (text) => parseTrustedRoot(text)],
  ['a signing config', (text) => parseSigningConfig(text)],
  [
    'a root of an update',
    (text) => updateTrustedRoot({ root: publicGoodTufRoot }, answering(text)),
  ],
  ['a policy', (text) => loadPolicyFile(fileOf('policy.json', text))],
  ['logins of Docker', (text) => loadJsonObject(fileOf('config.json', text))],
]
const TOML_READERS: readonly (readonly [string, Reader])[] = [
  ['an invoice', (text) => parseInvoice(text)],
  ['a keyring', (text) => parseKeyring(text)],
  ['secret keys', (text) => parseSecretKeys(text)],
  ['a token file', (text) => parseTokenFile(text)],
  ['the manifest of a bindle', (text) => parseBindleManifest(encodeUtf8(text), 'it')],
  ['an application', (text) => parseAppManifest(text)],
  [
    'an answer of a Bindle server',
    (text) => clientOf(answering(text, 'application/toml')).invoice('a/1.0.0'),
  ],
]

/** The text of an error and of its causes. */
async function wordsOf(read: Reader, text: string): Promise<string> {
  try {
    await read(text)
  } catch (error) {
    // A policy file is a flag's value: what is wrong with it is wrong usage.
    expect(error instanceof SpindleError || error instanceof UsageError).toBe(true)
    return String(error)
  }
  return expect.unreachable('it was read')
}

describe.each(JSON_READERS)('%s in JSON', (_, read) => {
  it.each([
    ['lists in lists', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['objects in objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['levels in a member', `{"a":${'[{"a":'.repeat(100)}1${'}]'.repeat(100)}}`],
  ])('is refused with too many %s', async (_name, text) => {
    expect(await wordsOf(read, text)).toMatch(/nests deeper than 128 levels|not JSON|no JSON/)
  })
})

describe.each(TOML_READERS)('%s in TOML', (_, read) => {
  it.each([
    ['dotted keys', `${'a.'.repeat(100_000)}a=1`],
    ['a header of many parts', `[${'a.'.repeat(100_000)}a]`],
    ['lists in lists', `a=${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['tables in tables', `a=${'{a='.repeat(100_000)}1${'}'.repeat(100_000)}`],
    [
      'arrays of tables in each other',
      Array.from({ length: 40 }, (_, i) => `[[${'a.'.repeat(i)}a]]\n`).join(''),
    ],
  ])('is refused with %s', async (_name, text) => {
    expect(await wordsOf(read, text)).toMatch(/deeper than \d+ levels|more than \d+ keys/)
  })

  it.each([
    ['dotted keys', 'a.b.c.d=1\n'],
    ['headers', '[a]\n'],
    ['arrays of tables', '[[a]]\n'],
    ['keys', 'a=1\n'],
  ])('is refused with too many %s', async (_name, line) => {
    expect(await wordsOf(read, line.repeat(200_000))).toMatch(/more than \d+ keys|longer than/)
  })
})

describe('a document of a registry', () => {
  it('that is too deep is refused when it is pushed', async () => {
    const { fetch } = createRegistryHandler()
    const deep = `{"schemaVersion":2,"x":${'['.repeat(1000)}${']'.repeat(1000)}}`
    const response = await fetch(
      new Request('http://localhost/v2/a/manifests/1', {
        method: 'PUT',
        body: deep,
        headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
      }),
    )
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('nests deeper than 128 levels')
  })

  it('that says why something failed is left out of the error', async () => {
    const deep = `{"errors":[{"code":"DENIED","detail":${'['.repeat(1000)}${']'.repeat(1000)}}]}`
    const { fetch } = createTransport(answering(deep, 'application/json', 400))
    await expect(fetch({ url: 'http://localhost/' })).rejects.toMatchObject({
      code: 'ERR_RESPONSE',
      details: [],
    })
  })
})

describe('a Bindle server', () => {
  const post = (url: string, body: string): Promise<Response> =>
    fetch(`${url}/v1/_i`, { method: 'POST', body, headers: { 'content-type': 'application/toml' } })
  const MANY = 'a.'.repeat(8 * 1024 * 1024 - 2)

  it('refuses 16 MiB of dotted keys, and answers others meanwhile', async () => {
    const { url, close } = await listen(createBindleHandler(), { port: 0 })
    const refused = post(url, `${MANY}a=1`)
    const other = fetch(`${url}/v1/_q`)
    expect((await other).status).toBe(200)
    const response = await refused
    expect(response.status).toBe(413)
    expect(await response.text()).toMatch(/more than 160000 keys .*maxInvoiceKeys/)
    await close()
  })

  it('says which limit was met and what raises it', async () => {
    const keys = Array.from({ length: 2000 }, (_, i) => `k${i} = "v"\n`).join('')
    const invoice = `bindleVersion = "1.0.0"\n[bindle]\nname = "a"\nversion = "1.0.0"\n[annotations]\n${keys}`
    const strict = await listen(createBindleHandler({ maxInvoiceKeys: 1000 }), { port: 0 })
    const response = await post(strict.url, invoice)
    expect(response.status).toBe(413)
    expect(await response.text()).toMatch(/more than 1000 keys .*raise .*maxInvoiceKeys/)
    await strict.close()
    const usual = await listen(createBindleHandler(), { port: 0 })
    expect((await post(usual.url, invoice)).status).toBe(201)
    await usual.close()
  })

  it('refuses what announces to be too long before it comes', async () => {
    const handler = createBindleHandler()
    let read = 0
    const body = new ReadableStream({
      pull(controller) {
        read++
        controller.enqueue(new Uint8Array(1024))
      },
    })
    const request = new Request('http://localhost/v1/_i', {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { 'content-type': 'application/toml', 'content-length': String(2 ** 30) },
    } as RequestInit)
    expect((await handler.fetch(request)).status).toBe(413)
    expect(read).toBeLessThan(3)
  })
})

describe('what is legitimate and large', () => {
  it('passes: an invoice of ten thousand parcels, and its lock', () => {
    const hex = (i: number): string => i.toString(16).padStart(64, '0')
    const parcels = Array.from({ length: 10_000 }, (_, i) => i)
    const toml = `bindleVersion = "1.0.0"\n[bindle]\nname = "a"\nversion = "1.0.0"\n${parcels
      .map(
        (i) =>
          `[[parcel]]\n[parcel.label]\nsha256 = "${hex(i)}"\nmediaType = "text/html"\nname = "static/file-${i}.html"\nsize = ${i}\n[parcel.conditions]\nmemberOf = ["files-hello"]\n\n`,
      )
      .join('')}`
    const invoice = parseInvoice(toml)
    expect(invoice.parcel).toHaveLength(10_000)
    expect(parseInvoice(encodeUtf8(JSON.stringify(invoice)), 'it', 'json')).toEqual(invoice)
    const files = parcels.map((i) => ({ digest: `sha256:${hex(i)}`, path: `static/${i}.html` }))
    const source = { content_type: 'application/wasm', digest: `sha256:${hex(0)}` }
    const lock = {
      spin_lock_version: 1,
      triggers: [],
      components: [{ id: 'a', source, files: [...files, ...files, ...files, ...files] }],
    }
    expect(parseLockedApp(encodeUtf8(JSON.stringify(lock))).components[0]?.files).toHaveLength(
      40_000,
    )
    expect(() => parseLockedApp(encodeUtf8(JSON.stringify(lock)), { maxKeys: 1000 })).toThrow(
      /more than 1000 keys .*raise "maxKeys"/,
    )
  })
})
