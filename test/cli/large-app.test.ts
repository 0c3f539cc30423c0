import { createHash } from 'node:crypto'
import { createReadStream, readFileSync, statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createSession, type Session } from './session.ts'
import { createRegistry, REF, writeApp } from './small-app.ts'

const MIB = 1024 * 1024

/** Bytes that don't compress, the same each time. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = 1
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    bytes[at] = state >>> 24
  }
  return bytes
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

async function push(
  session: Session,
  files: Readonly<Record<string, Uint8Array>>,
  ...flags: string[]
): Promise<void> {
  const run = await session.run('registry', 'push', '-f', writeApp(session, files), ...flags, REF)
  expect(run).toMatchObject({ code: 0 })
}

describe('an application larger than the library holds by default', () => {
  it.each([
    ['257 MiB as layers', 255, []],
    ['10 MiB in an archive', 8, ['--archive']],
  ])('is pulled, %s, with no limit but the disk', { timeout: 120_000 }, async (_, size, flags) => {
    const session = createSession(createRegistry().fetch)
    const files = { 'static/large.bin': new Uint8Array(size * MIB), 'static/b.bin': noise(2 * MIB) }
    await push(session, files, ...flags)
    const run = await session.run('registry', 'pull', REF, '--json', '-o', session.path('out'))
    expect(run).toMatchObject({ code: 0 })
    for (const name of ['large.bin', 'b.bin'])
      expect(await sha256(session.path(`out/assets/main/${name}`))).toBe(
        await sha256(session.path(`app/static/${name}`)),
      )
    const { files: count, bytes } = JSON.parse(run.stdout) as { files: number; bytes: number }
    const meta = ['manifest.json', 'locked.json', 'main.wasm'].map(
      (name) => statSync(session.path(`out/${name}`)).size,
    )
    expect(count).toBe(7)
    expect(bytes).toBe((size + 2) * MIB + 504 + meta.reduce((sum, size) => sum + size, 0))
  })

  it.each([
    ['registry pull', ['registry', 'pull', REF]],
    ['registry pull', ['registry', 'pull', REF, '--oci-layout', 'layout']],
    ['registry pull', ['registry', 'pull', REF, '--oci-layout', 'layout.tar']],
    ['up', ['up', '-f', REF]],
    ['build-worker', ['build-worker', REF]],
  ])('is refused by %s above --max-size, and the error names that flag', async (_, command) => {
    const session = createSession(createRegistry().fetch)
    await push(session, { 'static/a.bin': noise(3 * MIB) })
    const run = await session.run(...command, '--max-size', '2MiB')
    expect(run).toMatchObject({ code: 1, stdout: expect.not.stringContaining('Success') as string })
    expect(run.stderr).toContain('error[ERR_LIMIT_EXCEEDED]')
    expect(run.stderr).toContain('hint: raise --max-size if you trust the source')
    expect(run.stderr).not.toContain('maxBytes')
  })

  it('that unpacks to more than --max-size is refused', async () => {
    const session = createSession(createRegistry().fetch)
    await push(session, { 'static/zeros.bin': new Uint8Array(8 * MIB) }, '--archive')
    const run = await session.run('registry', 'pull', REF, '--max-size', '4MiB')
    expect(run).toMatchObject({ code: 1 })
    expect(run.stderr).toMatch(/the archive .* unpacks to more than 4194304 bytes/)
    expect(run.stderr).toContain('raise --max-size')
  })

  it('with more files in an archive than --max-files is refused', async () => {
    const session = createSession(createRegistry().fetch)
    await push(session, {}, '--archive')
    const run = await session.run('registry', 'pull', REF, '--max-files', '1')
    expect(run).toMatchObject({ code: 1 })
    expect(run.stderr).toContain('has more than 1 entries')
    expect(run.stderr).toContain('raise --max-files')
  })
})

describe('an application larger than the disk', () => {
  const size = 2 ** 52
  /** The registry with one layer that says to be that large. */
  const createSessionOf = async (): Promise<Session> => {
    const { fetch } = createRegistry()
    const small = createSession(fetch)
    await push(small, { 'static/a.bin': noise(1000) })
    return createSession(async (request) => {
      if (!request.url.includes('/manifests/')) return fetch(request)
      const tagged = new URL('1', request.url)
      const response = await fetch(new Request(tagged, { method: request.method }))
      const manifest = (await (await fetch(new Request(tagged))).json()) as {
        layers: { size: number }[]
      }
      for (const layer of manifest.layers) if (layer.size === 1000) layer.size = size
      const body = JSON.stringify(manifest)
      const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`
      const type = response.headers.get('content-type') as string
      const headers = { 'content-type': type, 'docker-content-digest': digest }
      return new Response(request.method === 'HEAD' ? null : body, { headers })
    })
  }

  it.each([
    ['--cache-dir', []],
    ['--output', ['--oci-layout', 'layout']],
  ])('is refused with advice about space and %s, not --max-size', async (flag, flags) => {
    const session = await createSessionOf()
    const run = await session.run('registry', 'pull', REF, ...flags)
    expect(run).toMatchObject({ code: 1 })
    expect(run.stderr).toContain('which is all the free space at')
    expect(run.stderr).toContain(`name a folder on another disk with ${flag}`)
    expect(run.stderr).not.toContain('--max-size')
  })

  it('is refused by --max-size where that is given', async () => {
    const session = await createSessionOf()
    const run = await session.run('registry', 'pull', REF, '--max-size', '1GiB')
    expect(run).toMatchObject({ code: 1 })
    expect(run.stderr).toContain('hint: raise --max-size')
  })
})

it('fetches a large layer again that is damaged in the cache', async () => {
  const session = createSession(createRegistry().fetch)
  const content = noise(2 * MIB)
  await push(session, { 'static/a.bin': content })
  expect(await session.run('registry', 'pull', REF)).toMatchObject({ code: 0 })
  const digest = createHash('sha256').update(content).digest('hex')
  const kept = `cache/spin/registry/data/sha256:${digest}`
  expect(readFileSync(session.path(kept)).equals(content)).toBe(true)
  session.write(kept, new Uint8Array(content.length))
  const run = await session.run('registry', 'pull', REF, '-o', session.path('out'))
  expect(run).toMatchObject({ code: 0 })
  expect(readFileSync(session.path('out/assets/main/a.bin')).equals(content)).toBe(true)
  expect(readFileSync(session.path(kept)).equals(content)).toBe(true)
})

it('names --response-timeout when a registry does not answer in time', async () => {
  const session = createSession(
    (request) =>
      new Promise((_, reject) =>
        request.signal.addEventListener('abort', () => reject(request.signal.reason as Error)),
      ),
  )
  const run = await session.run('registry', 'tags', '--response-timeout', '0.01', REF)
  expect(run).toMatchObject({ code: 1 })
  expect(run.stderr).toContain('error[ERR_TIMEOUT]')
  expect(run.stderr).toContain('hint: raise --response-timeout if the server is slow')
})

it('takes --min-rate, and names it when a download is slower', async () => {
  const registry = createRegistry()
  const session = createSession(registry.fetch)
  await push(session, { 'static/a.bin': noise(100_000) })
  const slow = createSession(async (request) => {
    const response = await registry.fetch(request)
    if (request.method !== 'GET' || !request.url.includes('/blobs/')) return response
    // The first byte and no other, each time that it is asked.
    const body = new ReadableStream({ start: (controller) => controller.enqueue(Uint8Array.of(0)) })
    return new Response(body, { headers: response.headers })
  })
  const flags = ['--response-timeout', '0.3', '--concurrency', '1', '--cache-dir', 'none']
  const run = await slow.run('registry', 'pull', '--min-rate', '10KiB', ...flags, REF)
  expect(run).toMatchObject({ code: 1 })
  expect(run.stderr).toMatch(/ERR_TIMEOUT.*less than 10240 per second/)
  expect(run.stderr).toContain('lower --min-rate')
  const none = await slow.run('registry', 'pull', '--min-rate', '0', ...flags, REF)
  expect(none.stderr).not.toContain('--min-rate')
  const wrong = await slow.run('registry', 'pull', '--min-rate', 'fast', REF)
  expect(wrong).toMatchObject({ code: 2 })
})

describe('a copy', () => {
  const other = REF.replace('hello', 'other')

  it('of more referrers than --max-referrers is refused, and the error names that flag', async () => {
    const session = createSession(createRegistry().fetch)
    await push(session, {})
    session.env['COSIGN_PASSWORD'] = ''
    const cosign = ['sign', '--key', 'cosign.key', '--tlog-upload=false', REF]
    expect(await session.run('generate-key-pair')).toMatchObject({ code: 0 })
    for (const _ of [1, 2]) expect(await session.run(...cosign)).toMatchObject({ code: 0 })
    const copy = ['registry', 'copy', '--referrers', '--max-referrers']
    const run = await session.run(...copy, '1', REF, other)
    expect(run).toMatchObject({ code: 1 })
    expect(run.stderr).toContain('has more than 1 referrers')
    expect(run.stderr).toContain('hint: raise --max-referrers if you trust the source')
    expect(await session.run(...copy, '9', REF, other)).toMatchObject({ code: 0 })
  })

  it('without referrers takes no limit for them', async () => {
    const run = await createSession().run('registry', 'copy', '--max-referrers', '1', REF, other)
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('--referrers') as string })
  })
})

describe('a refusal for what was sent', () => {
  it.each([
    [413, ['--archive'], 'raise their limit, or set --chunk-size'],
    [429, [], 'wait, or lower --concurrency'],
  ])('of %i names the flag', async (status, flags, hint) => {
    const { fetch } = createRegistry()
    const session = createSession((request) =>
      request.method === 'PUT' || request.method === 'PATCH'
        ? Promise.resolve(new Response(null, { status, headers: { 'retry-after': '3600' } }))
        : fetch(request),
    )
    const run = await session.run('registry', 'push', '-f', writeApp(session), ...flags, REF)
    expect(run).toMatchObject({ code: 1 })
    expect(run.stderr).toContain(`hint: ${hint}`)
    expect(run.stderr).not.toMatch(/"chunkSize"|"concurrency"/)
  })
})
