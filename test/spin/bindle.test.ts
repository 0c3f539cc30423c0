import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../src/bytes/digest.ts'
import { decodeUtf8, encodeUtf8 } from '../../src/bytes/text.ts'
import { type Invoice, type Label, parseInvoice } from '../../src/bindle/invoice.ts'
import { parseToml } from '../../src/bytes/toml.ts'
import type { App } from '../../src/spin/source/app.ts'
import { bindleToLock } from '../../src/spin/bindle/from-bindle.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { contentBuildInfo } from '../../src/spin/source/build-info.ts'
import { appToBindle } from '../../src/spin/bindle/to-bindle.ts'
import type { StandaloneBindle } from '../../src/bindle/standalone.ts'

const fixture = (name: string): string =>
  readFileSync(new URL(`../fixtures/bindle/${name}`, import.meta.url), 'utf8')
const WASM = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

const V1 = `spin_version = "1"
name = "spin-hello-world"
version = "1.0.0"
description = "A simple Spin application"
authors = ["Fermyon <x@example.com>"]
trigger = { type = "http", base = "/" }

[[component]]
id = "hello"
source = "target/wasm32-wasi/release/hello.wasm"
files = ["static/a.txt"]
[component.trigger]
route = "/..."
`
const recorded = (): Promise<App> =>
  loadApp({
    'spin.toml': V1,
    'target/wasm32-wasi/release/hello.wasm': WASM,
    'static/a.txt': 'hello asset\n',
  })

const lockOf = (bindle: StandaloneBindle, invoice: Invoice = bindle.invoice) =>
  bindleToLock(
    invoice,
    (label: Label) => new Blob([bindle.parcels.get(label.sha256) as Uint8Array<ArrayBuffer>]),
  )

describe('an application as a bindle', () => {
  it('is the invoice that Spin made, but for the spelling of the manifest parcel', async () => {
    const bindle = await appToBindle(await recorded(), { buildInfo: 'q8e6334c' })
    const spins = parseInvoice(fixture('spin-invoice.toml'))
    const [manifest, ...rest] = bindle.invoice.parcel!
    expect({ ...bindle.invoice, parcel: rest }).toEqual({
      ...spins,
      parcel: spins.parcel!.slice(1),
    })
    expect(manifest!.label).toMatchObject({
      mediaType: spins.parcel![0]!.label.mediaType,
      annotations: spins.parcel![0]!.label.annotations,
    })
    expect(manifest!.label.name).toBe(`spin.${manifest!.label.sha256}.toml`)
    const bytes = bindle.parcels.get(manifest!.label.sha256) as Uint8Array
    const ours = parseToml(bytes, 'ours') as { component: { allowedHttpHosts?: unknown }[] }
    expect(ours.component[0]!.allowedHttpHosts).toEqual([])
    delete ours.component[0]!.allowedHttpHosts
    expect(ours).toEqual(parseToml(fixture('spin-manifest-parcel.toml'), 'theirs'))
  })

  it('is the same bindle for the same files', async () => {
    expect((await appToBindle(await recorded())).invoice).toEqual(
      (await appToBindle(await recorded())).invoice,
    )
  })

  it('has build metadata that follows its content', async () => {
    const info = await contentBuildInfo(await recorded())
    expect(info).toMatch(/^q[0-9a-f]{7}$/)
    const changed = await loadApp({
      'spin.toml': V1,
      'target/wasm32-wasi/release/hello.wasm': WASM,
      'static/a.txt': 'other',
    })
    expect(await contentBuildInfo(changed)).not.toBe(info)
  })

  it('comes back with everything that a bindle can hold', async () => {
    const app = await loadApp({
      'spin.toml': `spin_manifest_version = 2
[application]
name = "shop"
version = "1.2.0"
description = "Two components"
authors = ["Ada <ada@example.com>"]
[variables]
host = { default = "https://api.example.com" }
token = { required = true, secret = true }
[[trigger.http]]
route = "/api/..."
component = "api"
[[trigger.http]]
route = "/..."
component = "web"
executor = { type = "wagi" }
[component.api]
source = "api.wasm"
description = "JSON"
allowed_outbound_hosts = ["https://api.example.com:8443", "redis://cache:6379", "https://*.example.com"]
key_value_stores = ["default"]
environment = { B = "2", A = "1" }
[component.api.variables]
token = "{{ token }}"
[component.web]
source = "web.wasm"
files = [{ source = "static", destination = "/" }]
`,
      'api.wasm': WASM,
      'web.wasm': WASM,
      'static/index.html': '<p>',
      'static/sub/ü.css': 'p{}',
    })
    const { locked, contents } = await lockOf(await appToBindle(app))
    expect(locked.metadata).toEqual({
      authors: ['Ada <ada@example.com>'],
      description: 'Two components',
      name: 'shop',
      trigger: { type: 'http' },
      triggers: { http: {} },
      version: '1.2.0',
    })
    expect(locked.variables).toEqual({
      host: { default: 'https://api.example.com' },
      token: { secret: true },
    })
    expect(locked.triggers).toEqual([
      {
        id: 'trigger--api',
        trigger_type: 'http',
        trigger_config: { component: 'api', route: '/api/...' },
      },
      {
        id: 'trigger--web',
        trigger_type: 'http',
        trigger_config: { component: 'web', route: '/...', executor: { type: 'wagi' } },
      },
    ])
    const [api, web] = locked.components
    expect(api).toMatchObject({
      id: 'api',
      env: { A: '1', B: '2' },
      config: { token: '{{ token }}' },
      metadata: {
        description: 'JSON',
        key_value_stores: ['default'],
        allowed_outbound_hosts: [
          'https://api.example.com:8443',
          'redis://cache:6379',
          'https://*.example.com',
        ],
      },
    })
    expect(web!.metadata).not.toHaveProperty('allowed_outbound_hosts')
    expect(web!.files!.map((file) => file.path).sort()).toEqual(['index.html', 'sub/ü.css'])
    expect(contents.size).toBe(3)
  })

  it.each([
    ['a component with two triggers', '[[trigger.http]]\nroute = "/b"\ncomponent = "a"'],
    [
      'triggers of two types',
      '[[trigger.redis]]\nchannel = "x"\naddress = "redis://r"\ncomponent = "b"\n[component.b]\nsource = "a.wasm"',
    ],
    [
      'a static response',
      '[[trigger.http]]\nroute = "/b"\nstatic_response = { status_code = 204 }',
    ],
    ['a component without a trigger', '[component.b]\nsource = "a.wasm"'],
  ])('can not have %s, and says so', async (_, more) => {
    const app = await loadApp({
      'spin.toml': `spin_manifest_version = 2\n[application]\nname = "x"\nversion = "1.0.0"\n[[trigger.http]]\nroute = "/..."\ncomponent = "a"\n[component.a]\nsource = "a.wasm"\n${more}\n`,
      'a.wasm': WASM,
    })
    await expect(appToBindle(app)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
  })

  it('needs a version', async () => {
    const app = await loadApp({
      'spin.toml': V1.replace('version = "1.0.0"\n', 'version = "one"\n'),
      'target/wasm32-wasi/release/hello.wasm': WASM,
      'static/a.txt': '',
    })
    await expect(appToBindle(app)).rejects.toMatchObject({ code: 'ERR_REFERENCE_INVALID' })
  })
})

describe('reading bindles that Spin pushed', () => {
  const change = (invoice: Invoice, index: number, label: Partial<Label>): Invoice => ({
    ...invoice,
    parcel: invoice.parcel!.map((parcel, i) =>
      i === index ? { ...parcel, label: { ...parcel.label, ...label } } : parcel,
    ),
  })

  it('takes the recorded invoice and manifest', async () => {
    const invoice = parseInvoice(fixture('spin-invoice.toml'))
    const { locked } = await bindleToLock(
      invoice,
      () => new Blob([fixture('spin-manifest-parcel.toml')]),
    )
    expect(locked.components[0]).toMatchObject({ id: 'hello', files: [{ path: 'static/a.txt' }] })
    expect(locked.triggers[0]!.trigger_config).toEqual({ route: '/...', component: 'hello' })
  })

  it('takes backslashes of Windows for slashes', async () => {
    const bindle = await appToBindle(await recorded())
    const { locked } = await lockOf(bindle, change(bindle.invoice, 2, { name: '\\static\\a.txt' }))
    expect(locked.components[0]!.files![0]!.path).toBe('static/a.txt')
  })

  it.each(['../a', 'a/../../b', '..\\a', 'a\u0000b'])('refuses the file name %j', async (name) => {
    const bindle = await appToBindle(await recorded())
    await expect(lockOf(bindle, change(bindle.invoice, 2, { name }))).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })

  it('puts an old base in front of the routes', async () => {
    const bindle = await appToBindle(await recorded())
    const text = decodeUtf8(
      bindle.parcels.get(bindle.invoice.parcel![0]!.label.sha256) as Uint8Array,
    )!
    const bytes = encodeUtf8(text.replace('base = "/"', 'base = "/shop/"'))
    const sha256 = hexOf(await digestOf(bytes))
    const based = { ...bindle, parcels: new Map([...bindle.parcels, [sha256, bytes]]) }
    const { locked } = await lockOf(
      based,
      change(bindle.invoice, 0, { sha256, size: bytes.length }),
    )
    expect(locked.triggers[0]!.trigger_config).toMatchObject({ route: '/shop/...' })
    expect(locked.metadata).toMatchObject({ trigger: { type: 'http' }, triggers: { http: {} } })
  })

  it('refuses an invoice without a manifest, with two, or with one that does not fit its label', async () => {
    const bindle = await appToBindle(await recorded())
    const [first, ...rest] = bindle.invoice.parcel!
    await expect(lockOf(bindle, { ...bindle.invoice, parcel: rest })).rejects.toThrow(
      'Invoice does not contain a Spin manifest',
    )
    await expect(lockOf(bindle, { ...bindle.invoice, parcel: [first!, first!] })).rejects.toThrow(
      'multiple',
    )
    await expect(bindleToLock(bindle.invoice, () => new Blob(['x']))).rejects.toMatchObject({
      code: 'ERR_DIGEST_MISMATCH',
    })
  })

  it('refuses a component whose Wasm is not among the parcels', async () => {
    const bindle = await appToBindle(await recorded())
    const [first, , ...rest] = bindle.invoice.parcel!
    await expect(
      lockOf(bindle, { ...bindle.invoice, parcel: [first!, ...rest] }),
    ).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
  })
})
