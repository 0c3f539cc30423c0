import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { formatLockedApp } from '../../src/spin/lock/format-locked-app.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { lockApp, type LockAppOptions } from '../../src/spin/source/lock-app.ts'
import { parseLockedApp } from '../../src/spin/lock/parse-locked-app.ts'

const BIG = 'x'.repeat(129)
const lock = async (toml: string, options?: LockAppOptions) =>
  lockApp(
    await loadApp({
      'spin.toml': `spin_manifest_version = 2\n[application]\nname = "app"\n${toml}`,
      'a.wasm': BIG,
      'b.wasm': `${BIG}b`,
      small: 'A',
      big: BIG,
      empty: '',
    }),
    options,
  )

describe('a locked application', () => {
  it('says all that the manifest says, and nothing of the machine', async () => {
    const { locked } = await lock(`version = "1.0"
description = "d"
authors = ["me"]
[application.trigger.http]
base = "/"
[variables]
v = { default = "", description = "about" }
s = { required = true, secret = true }
[[trigger.http]]
route = { private = true }
component = "a"
[component.a]
source = "a.wasm"
description = "c"
environment = { B = "2", A = "1" }
variables = { v = "{{ v }}" }
files = ["small", "big", { source = "empty", destination = "d/e" }]
allowed_outbound_hosts = ["http://x.spin.internal"]
allowed_http_hosts = ["self"]
key_value_stores = ["default"]
sqlite_databases = ["db"]
ai_models = ["m"]
build = { command = "make", watch = [] }
`)
    const digest = async (text: string) => digestOf(encodeUtf8(text))
    expect(JSON.parse(new TextDecoder().decode(formatLockedApp(locked)))).toEqual({
      spin_lock_version: 1,
      must_understand: ['component_host_requirements'],
      metadata: {
        authors: ['me'],
        description: 'd',
        name: 'app',
        trigger: { type: 'http' },
        triggers: { http: {} },
        version: '1.0',
      },
      variables: { s: { secret: true }, v: { description: 'about', default: '' } },
      triggers: [
        {
          id: 'a-http-trigger',
          trigger_type: 'http',
          trigger_config: { component: 'a', route: { private: true } },
        },
      ],
      components: [
        {
          id: 'a',
          metadata: {
            ai_models: ['m'],
            allowed_outbound_hosts: ['http://x.spin.internal', 'http://self'],
            databases: ['db'],
            description: 'c',
            key_value_stores: ['default'],
          },
          source: { content_type: 'application/wasm', digest: await digest(BIG) },
          env: { A: '1', B: '2' },
          files: [
            { digest: await digest(BIG), path: 'big' },
            { inline: '', digest: await digest(''), path: 'd/e' },
            { inline: 'QQ', digest: await digest('A'), path: 'small' },
          ],
          config: { v: '{{ v }}' },
          host_requirements: { local_service_chaining: 'required' },
        },
      ],
    })
  })

  it('has every content by digest, each once, inline ones too', async () => {
    const { contents } = await lock(
      '[trigger]\n[component.a]\nsource = "a.wasm"\nfiles = ["small", "big", "empty"]\n',
    )
    expect(
      [...contents.values()]
        .map((content) => (content instanceof Uint8Array ? content.length : content.size))
        .toSorted((a, b) => a - b),
    ).toEqual([0, 1, 129])
  })

  it('keeps build tables, an origin and a profile only when told to', async () => {
    const { locked } = await lock(
      '[trigger]\n[component.a]\nsource = "a.wasm"\nbuild = { command = ["x"], workdir = "w", watch = ["*"] }\n',
      { build: true, origin: 'file:///x' },
    )
    expect(locked.components[0]?.metadata).toEqual({
      build: { command: ['x'], workdir: 'w', watch: ['*'] },
    })
    expect(locked.metadata).toEqual({ name: 'app', origin: 'file:///x', triggers: {} })
  })

  it('writes `trigger` only for one type of trigger, with its configuration', async () => {
    const redis = '[[trigger.redis]]\nchannel = "c"\ncomponent = "a"\n'
    const a = '[component.a]\nsource = "a.wasm"\n'
    const one = await lock(`[application.trigger.redis]\naddress = "redis://x"\n${redis}${a}`)
    expect(one.locked.metadata).toMatchObject({
      trigger: { address: 'redis://x', type: 'redis' },
      triggers: { redis: { address: 'redis://x' } },
    })
    const two = await lock(`${redis}[[trigger.cron]]\nevery = "1s"\n${a}`)
    expect(two.locked.metadata).toEqual({ name: 'app', triggers: {} })
    expect(two.locked.triggers.map(({ id }) => id)).toEqual(['a-redis-trigger', 'cron-trigger1'])
  })

  it('keeps a base that does something, so that hosts refuse it', async () => {
    const { locked } = await lock('[application.trigger.http]\nbase = "/x"\n[trigger]\n')
    expect(locked.metadata).toMatchObject({ triggers: { http: { base: '/x' } } })
  })

  it('has dependencies with what they inherit', async () => {
    const { locked } = await lock(`[trigger]
[component.a]
source = "a.wasm"
[component.a.dependencies]
"x:y/z@1.0.0" = { path = "b.wasm", export = "e", inherit_configuration = ["environment"] }
plain = { component = "b", inherit_configuration = true }
"q:r" = { path = "b.wasm", inherit_configuration = false }
[component.b]
source = "b.wasm"
`)
    const source = {
      content_type: 'application/wasm',
      digest: await digestOf(encodeUtf8(`${BIG}b`)),
    }
    expect(locked.components[0]?.dependencies).toEqual({
      'x:y/z@1.0.0': { source, export: 'e', inherit: { Some: ['environment'] } },
      plain: { source, export: null, inherit: 'All' },
      'q:r': { source, export: null },
    })
  })

  it('gives a copied component an id that is free', async () => {
    const { locked } = await lock(`[[trigger.http]]
id = "t"
route = "/1"
component = "a"
dependencies.middleware = [{ path = "b.wasm" }]
[[trigger.http]]
route = "/2"
component = "a"
[component.a]
source = "a.wasm"
[component.a-for-t]
source = "a.wasm"
`)
    expect(locked.components.map(({ id }) => id)).toEqual(['a', 'a-for-t', 'a-for-t-d1'])
    expect(locked.triggers[0]?.trigger_config).toMatchObject({ component: 'a-for-t-d1' })
  })

  it('comes out the same for the same files, whatever their order', async () => {
    const files = {
      'spin.toml':
        'spin_manifest_version = 2\n[application]\nname = "a"\n[trigger]\n[component.a]\nsource = "a.wasm"\nfiles = ["./*"]\n',
      'a.wasm': 'a',
      b: 'b',
      c: BIG,
    }
    const first = await lockApp(await loadApp(files))
    const second = await lockApp(
      await loadApp(Object.fromEntries(Object.entries(files).toReversed())),
    )
    expect(formatLockedApp(second.locked)).toEqual(formatLockedApp(first.locked))
    expect([...second.contents.keys()]).toEqual([...first.contents.keys()])
    expect(parseLockedApp(formatLockedApp(first.locked))).toEqual(first.locked)
  })

  it('stops with the reason of an abort', async () => {
    const app = await loadApp({
      'spin.toml': 'spin_manifest_version = 2\n[application]\nname = "a"\n[trigger]\n',
    })
    const reason = new Error('enough')
    await expect(lockApp(app, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
