import { describe, expect, it, vi } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { AppInvalid, ResponseError } from '../../src/errors.ts'
import { loadApp, type LoadAppOptions } from '../../src/spin/source/load-app.ts'

const HEAD = 'spin_manifest_version = 2\n[application]\nname = "app"\n'
const manifest = (rest: string) =>
  `${HEAD}[[trigger.http]]\nroute = "/..."\ncomponent = "a"\n${rest}`
const REMOTE = encodeUtf8('remote wasm')
const DIGEST = await digestOf(REMOTE)
const remote = (digest: string) =>
  manifest(
    `[component.a]\nsource = { url = "https://files.example/a.wasm?secret=1", digest = "${digest}" }\n`,
  )

const load = (toml: string, options: LoadAppOptions = {}, files: Record<string, string> = {}) =>
  loadApp(
    { 'spin.toml': toml, 'a.wasm': 'A', 'b.wasm': 'B', 'static/x.txt': 'x', ...files },
    options,
  )

const textOf = async (content: { stream(): ReadableStream<Uint8Array> } | Uint8Array) =>
  new TextDecoder().decode(
    content instanceof Uint8Array
      ? content
      : new Uint8Array(await new Response(content.stream()).arrayBuffer()),
  )

describe('an application', () => {
  it('has its components, their Wasm and their files', async () => {
    const app = await load(manifest('[component.a]\nsource = "a.wasm"\nfiles = ["static/*"]\n'))
    expect(app.components.map(({ id }) => id)).toEqual(['a'])
    expect(await textOf(app.components[0]!.wasmContent)).toBe('A')
    expect([...app.components[0]!.fileTree.keys()]).toEqual(['static/x.txt'])
    expect(app.triggers).toMatchObject([{ id: 'a-http-trigger', type: 'http' }])
    expect(app.manifestPath).toBe('spin.toml')
  })

  it('may lie in a folder of what was dropped', async () => {
    const app = await loadApp({
      'hello/spin.toml': manifest('[component.a]\nsource = "./out/../a.wasm"\n'),
      'hello/a.wasm': 'A',
    })
    expect(app.manifestPath).toBe('hello/spin.toml')
  })

  it('may take Wasm from beside its folder, but only from what was given', async () => {
    const tree = {
      'app/spin.toml': manifest('[component.a]\nsource = "../target/a.wasm"\n'),
      'target/a.wasm': 'A',
    }
    expect((await loadApp(tree)).components).toHaveLength(1)
    await expect(
      loadApp({ ...tree, 'app/spin.toml': manifest('[component.a]\nsource = "../../a.wasm"\n') }),
    ).rejects.toMatchObject({ code: 'ERR_APP_INVALID' })
  })

  it.each<[string, Record<string, string>, LoadAppOptions, string]>([
    ['none', { 'a/b/spin.toml': '' }, {}, 'there is no spin.toml at the top'],
    ['several', { 'a/spin.toml': '', 'b/spin.toml': '' }, {}, 'there are several manifests'],
    [
      'not the one named',
      { 'spin.toml': '' },
      { manifestPath: 'other.toml' },
      'there is no manifest at "other.toml"',
    ],
  ])('needs a manifest: %s', async (_, files, options, message) => {
    const error: unknown = await loadApp(files, options).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'ERR_FILE_MISSING' })
    expect((error as Error).message).toContain(message)
  })

  it('with files missing has a finding at each place, all at once', async () => {
    const error = await load(
      manifest(
        '[component.a]\nsource = "none.wasm"\nfiles = [\n  "static/*",\n  "none.txt",\n]\nexclude_files = ["["]\n[component.a.dependencies]\n"x:y" = { path = "dep.wasm" }\n',
      ),
    ).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(AppInvalid)
    expect(
      (error as AppInvalid).findings.map(({ code, line, column }) => [code, line, column]),
    ).toEqual([
      ['missing-file', 8, 10],
      ['missing-file', 11, 3],
      ['invalid-glob', 13, 18],
      ['missing-file', 15, 9],
    ])
    expect((error as AppInvalid).message).toContain(
      'component "a": "none.wasm" does not exist; build the component first',
    )
  })

  it('in version 1 has findings at their places too', async () => {
    const toml =
      'spin_version = "1"\nname = "a"\ntrigger = { type = "http" }\n[[component]]\nid = "Snake_Case"\nsource = "none.wasm"\nfiles = ["none"]\n[component.trigger]\nroute = "/"\n'
    const error = await load(toml).catch((caught: unknown) => caught)
    expect((error as AppInvalid).findings.map(({ code, line }) => [code, line])).toEqual([
      ['missing-file', 6],
      ['missing-file', 7],
    ])
  })

  it('with components in place has findings at theirs', async () => {
    const error = await load(
      `${HEAD}[[trigger.http]]\nroute = "/"\ncomponent = { source = "none.wasm" }\n[[trigger.x]]\ncomponents.y = { source = "none.wasm" }\n`,
    ).catch((caught: unknown) => caught)
    expect((error as AppInvalid).findings.map(({ line, column }) => [line, column])).toEqual([
      [6, 24],
      [8, 27],
    ])
  })

  it('applies a profile, and points into it', async () => {
    const toml = manifest(
      '[component.a]\nsource = "a.wasm"\nenvironment = { A = "1", B = "1" }\n[component.a.profile.debug]\nsource = "b.wasm"\nenvironment = { B = "2" }\n',
    )
    const app = await load(toml, { profile: 'debug' })
    expect(await textOf(app.components[0]!.wasmContent)).toBe('B')
    expect(app.components[0]!.table.environment).toEqual({ A: '1', B: '2' })
    await expect(load(toml, { profile: 'other' })).rejects.toThrow(
      'Profile other is not defined in this application',
    )
    const error = await load(toml.replace('b.wasm', 'none.wasm'), { profile: 'debug' }).catch(
      (caught: unknown) => caught,
    )
    expect((error as AppInvalid).findings).toMatchObject([{ line: 11, column: 10 }])
  })

  it('keeps warnings of the manifest and of its files', async () => {
    const app = await load(
      manifest(
        '[component.a]\nsource = "a.wasm"\nfiles = ["static"]\nallowed_http_hosts = ["a.example"]\n',
      ),
    )
    expect(app.warnings.map(({ code, line }) => [code, line])).toEqual([
      ['folder-pattern', 9],
      ['deprecated-http-hosts', 10],
    ])
  })
})

describe('Wasm from a URL', () => {
  it('is downloaded once for all who name it, and checked', async () => {
    const seen: string[] = []
    const app = await load(
      `${remote(DIGEST)}[component.b]\nsource = { url = "https://files.example/a.wasm?secret=1", digest = "${DIGEST}" }\n`,
      {
        fetch: async (request) => {
          seen.push(request.url)
          return new Response(REMOTE)
        },
      },
    )
    expect(seen).toEqual(['https://files.example/a.wasm?secret=1'])
    expect(app.components.map(({ wasmContent }) => wasmContent)).toEqual([REMOTE, REMOTE])
  })

  it.each<[string, LoadAppOptions, object]>([
    ['other bytes', { fetch: async () => new Response('other') }, { code: 'ERR_DIGEST_MISMATCH' }],
    [
      'too many bytes',
      { fetch: async () => new Response(REMOTE), maxWasmBytes: 5 },
      { code: 'ERR_LIMIT_EXCEEDED' },
    ],
    [
      'nothing there',
      { fetch: async () => new Response('', { status: 404 }) },
      { code: 'ERR_NOT_FOUND', status: 404, url: 'https://files.example/a.wasm' },
    ],
    [
      'a server that fails',
      { fetch: async () => new Response('', { status: 500 }) },
      { code: 'ERR_RESPONSE', status: 500 },
    ],
    [
      'no connection',
      { fetch: async () => Promise.reject(new TypeError('fetch failed')) },
      { code: 'ERR_NETWORK' },
    ],
    [
      'a cut connection',
      {
        fetch: async () =>
          new Response(
            new ReadableStream({ pull: (controller) => controller.error(new Error('cut')) }),
          ),
      },
      { code: 'ERR_NETWORK' },
    ],
  ])('is refused: %s', async (_, options, expected) => {
    const error: unknown = await load(remote(DIGEST), options).catch((caught: unknown) => caught)
    expect(error).toMatchObject(expected)
    expect((error as Error).message).toContain('component "a"')
    expect(
      `${(error as Error).message} ${error instanceof ResponseError ? error.url : ''}`,
    ).not.toContain('secret')
  })

  it('is not downloaded when the application is not valid', async () => {
    let calls = 0
    await expect(
      load(`${remote(DIGEST)}files = ["none"]\n`, {
        fetch: async () => (calls++, new Response(REMOTE)),
      }),
    ).rejects.toThrow(AppInvalid)
    expect(calls).toBe(0)
  })

  it('that fails ends the other downloads', async () => {
    let isAborted = false
    const toml = `${remote(DIGEST)}[component.b]\nsource = { url = "https://files.example/b.wasm", digest = "${DIGEST}" }\n`
    const loading = load(toml, {
      fetch: (request) =>
        request.url.includes('b.wasm')
          ? Promise.resolve(new Response('', { status: 500 }))
          : new Promise((_, reject) =>
              request.signal.addEventListener('abort', () => {
                isAborted = true
                reject(request.signal.reason as Error)
              }),
            ),
    })
    await expect(loading).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
    expect(isAborted).toBe(true)
  })

  it('is left when it comes drop by drop, or not at all', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const drip = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 1000))
          controller.enqueue(Uint8Array.of(0))
        },
      })
      const answers: NonNullable<LoadAppOptions['fetch']>[] = [
        async () => new Response(drip, { headers: { 'content-length': '1000000' } }),
        () => new Promise(() => {}),
      ]
      for (const fetch of answers) {
        let error: unknown
        load(remote(DIGEST), { fetch }).catch((caught: unknown) => (error = caught))
        await new Promise((resolve) => setImmediate(resolve))
        for (let seconds = 0; seconds < 120 && error === undefined; seconds++)
          await vi.advanceTimersByTimeAsync(1000)
        expect(error).toMatchObject({ code: 'ERR_TIMEOUT' })
        expect((error as Error).message).not.toContain('secret')
      }
    } finally {
      vi.useRealTimers()
    }
  })

  it('stops with the reason of an abort', async () => {
    const stop = new AbortController()
    const reason = new Error('enough')
    const loading = load(remote(DIGEST), {
      signal: stop.signal,
      fetch: (request) =>
        new Promise((_, reject) => {
          request.signal.addEventListener('abort', () => reject(new Error('other')))
          stop.abort(reason)
        }),
    })
    await expect(loading).rejects.toBe(reason)
  })
})

describe('Wasm of a package registry', () => {
  const toml = manifest(
    '[component.a]\nsource = { package = "my:app", version = "1.0.0", registry = "r.example" }\n[component.a.dependencies]\n"other:lib/iface@0.1.0" = ">=0.1"\nplain = { version = "1", package = "p:q" }\n',
  )

  it('comes from the resolver that is given', async () => {
    const wanted: object[] = []
    const app = await load(toml, {
      resolvePackage: async (it) => (wanted.push(it), encodeUtf8(it.package)),
    })
    expect(wanted).toEqual([
      { registry: 'r.example', package: 'my:app', version: '1.0.0' },
      { package: 'other:lib', version: '>=0.1' },
      { package: 'p:q', version: '1' },
    ])
    expect([...app.components[0]!.dependencies.values()].map(({ wasm }) => wasm)).toEqual([
      encodeUtf8('other:lib'),
      encodeUtf8('p:q'),
    ])
  })

  it('is an error that says what to do without one', async () => {
    await expect(load(toml)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining(
        'component "a" is the package my:app@1.0.0 of r.example: pass "resolvePackage"',
      ) as unknown,
    })
  })
})
