import { describe, expect, it } from 'vitest'
import { createFlakyPersona, type Fault } from '../../mocks/personas/flaky.ts'
import { streamOf } from '../../src/bytes/stream.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import {
  createRepository,
  type Repository,
  type RepositoryOptions,
} from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { blobOf, pushArtifact } from './artifacts.ts'

const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => (at * 31) & 255)

function openFlaky(
  registry: { fetch: (request: Request) => Promise<Response> },
  fault: (request: Request, count: number) => Fault | undefined,
  options: RepositoryOptions = {},
): { repository: Repository; requests: string[] } {
  const flaky = createFlakyPersona(registry, fault)
  return {
    requests: flaky.requests,
    repository: createRepository('registry.test/t/a', {
      fetch: flaky.fetch,
      retry: { delay: () => 1 },
      ...options,
    }),
  }
}

describe('a push', () => {
  // A push of an artifact is 3 × (POST, PUT) less one, all of which break once at some time.
  for (const fault of ['cut', 'lost', 408, 429, 500, 502, 503, 504, 507, 520, 529] as const)
    for (let stage = 0; stage < 5; stage++)
      it(`recovers from ${fault} at request ${stage}`, async () => {
        const registry = createRegistryHandler()
        const { repository } = openFlaky(registry, (_, count) =>
          count === stage ? fault : undefined,
        )
        const { manifest, layer } = await pushArtifact(repository, bytes, 'v1')
        expect(await repository.resolve('v1')).toEqual(manifest.descriptor)
        await readVerified(await repository.fetch(layer.descriptor), layer.descriptor)
      })

  it('in chunks is resumed after an interruption', async () => {
    let patches = 0
    const { repository, requests } = openFlaky(
      createRegistryHandler(),
      (request) =>
        request.method === 'PATCH' && [2, 4].includes((patches += 1))
          ? patches === 2
            ? 'lost'
            : 'cut'
          : undefined,
      { chunkSize: 30_000 },
    )
    const blob = await blobOf(bytes)
    await repository.push(blob.descriptor, blob.bytes)
    await readVerified(await repository.fetch(blob.descriptor), blob.descriptor)
    expect(requests.filter((request) => request.startsWith('POST')).length).toBe(1)
  })

  it('rejects with a coded error after the last retry, and leaves no tag', async () => {
    const registry = createRegistryHandler()
    const { repository, requests } = openFlaky(registry, (request) =>
      request.method === 'PUT' ? 503 : undefined,
    )
    await expect(pushArtifact(repository, bytes, 'v1')).rejects.toMatchObject({
      code: 'ERR_RESPONSE',
      status: 503,
    })
    expect(requests.filter((request) => request.startsWith('PUT')).length).toBe(3)
    const plain = openFlaky(registry, () => undefined).repository
    await expect(plain.resolve('v1')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    await pushArtifact(plain, bytes, 'v1')
  })

  it('of a stream is not retried', async () => {
    const { repository, requests } = openFlaky(createRegistryHandler(), (request) =>
      request.method === 'PUT' ? 'cut' : undefined,
    )
    const blob = await blobOf(bytes)
    await expect(repository.push(blob.descriptor, streamOf(blob.bytes))).rejects.toMatchObject({
      code: 'ERR_NETWORK',
    })
    expect(requests.filter((request) => request.startsWith('PUT')).length).toBe(1)
  })

  it('of bytes that do not match the digest rejects', async () => {
    const { repository } = openFlaky(createRegistryHandler(), () => undefined)
    const blob = await blobOf(bytes)
    await expect(
      repository.push(blob.descriptor, new Uint8Array(bytes.length)),
    ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
    await expect(repository.push(blob.descriptor, new Uint8Array(3))).rejects.toMatchObject({
      code: 'ERR_DIGEST_MISMATCH',
    })
    const short = { size: bytes.length, stream: () => streamOf(bytes.subarray(5)) }
    await expect(repository.push(blob.descriptor, short)).rejects.toMatchObject({
      code: 'ERR_DIGEST_MISMATCH',
    })
    expect(await repository.has(blob.descriptor)).toBe(false)
  })

  it('rejects with the reason of its signal', async () => {
    const stop = new AbortController()
    const reason = new Error('enough')
    const { repository } = openFlaky(createRegistryHandler(), (request) => {
      if (request.method === 'PUT') stop.abort(reason)
      return undefined
    })
    const blob = await blobOf(bytes)
    await expect(
      repository.push(blob.descriptor, blob.bytes, { signal: stop.signal }),
    ).rejects.toBe(reason)
  })

  it('rejects when the timeout is over', async () => {
    const repository = createRepository('registry.test/t/a', {
      fetch: () => new Promise(() => {}),
      timeout: 20,
      retry: false,
    })
    await expect(repository.resolve('v1')).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })
  })
})

describe('a pull', () => {
  it('is resumed after repeated interruptions', async () => {
    const registry = createRegistryHandler()
    const blob = await blobOf(bytes)
    await openFlaky(registry, () => undefined).repository.push(blob.descriptor, blob.bytes)
    const ranges: (string | null)[] = []
    const { repository } = openFlaky(registry, (request, count) => {
      ranges.push(request.headers.get('range'))
      return count < 5 ? 'truncate' : undefined
    })
    expect(await readVerified(await repository.fetch(blob.descriptor), blob.descriptor)).toEqual(
      bytes,
    )
    expect(ranges).toEqual([
      null,
      'bytes=50000-',
      'bytes=75000-',
      'bytes=87500-',
      'bytes=93750-',
      'bytes=96875-',
    ])
  })

  it('of a small buffered blob is resumed too, and verified', async () => {
    const registry = createRegistryHandler()
    const blob = await blobOf(bytes)
    const other = await blobOf(bytes.subarray(1))
    const good = openFlaky(registry, () => undefined).repository
    for (const { descriptor, bytes: content } of [blob, other]) await good.push(descriptor, content)
    expect(await good.whole(blob.descriptor)).toEqual(bytes)
    const cut = openFlaky(registry, (_, count) => (count < 2 ? 'truncate' : undefined))
    expect(await cut.repository.whole(blob.descriptor)).toEqual(bytes)
    const lies = (fetch: (request: Request) => Promise<Response>): Repository =>
      createRepository('registry.test/t/a', { fetch, retry: { delay: () => 1 } })
    const damaged = openFlaky(registry, () => 'corrupt').repository
    const longer = lies(async () => new Response(new Uint8Array([...bytes, 0])))
    for (const repository of [damaged, longer])
      await expect(repository.whole(blob.descriptor)).rejects.toMatchObject({
        code: 'ERR_DIGEST_MISMATCH',
      })
    const always = openFlaky(registry, () => 'truncate', { retry: false }).repository
    await expect(always.whole(blob.descriptor)).rejects.toMatchObject({ code: 'ERR_NETWORK' })
  })

  it('starts over if the registry does not support ranges', async () => {
    const registry = createRegistryHandler()
    const blob = await blobOf(bytes)
    await openFlaky(registry, () => undefined).repository.push(blob.descriptor, blob.bytes)
    const deaf = {
      fetch: (request: Request) => {
        const bare = new Request(request)
        bare.headers.delete('range')
        return registry.fetch(bare)
      },
    }
    const { repository } = openFlaky(deaf, (_, count) => (count < 1 ? 'truncate' : undefined))
    expect(await readVerified(await repository.fetch(blob.descriptor), blob.descriptor)).toEqual(
      bytes,
    )
  })

  it('of corrupt bytes errors', async () => {
    const registry = createRegistryHandler()
    const { layer, manifest } = await pushArtifact(
      openFlaky(registry, () => undefined).repository,
      bytes,
      'v1',
    )
    const { repository } = openFlaky(registry, () => 'corrupt')
    for (const { descriptor } of [layer, manifest])
      await expect(
        (async () => readVerified(await repository.fetch(descriptor), descriptor))(),
      ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  })

  for (const [when, chunks] of [
    ['before it is read', 0],
    ['half way', 1],
  ] as const)
    it(`that is cancelled ${when} closes its connection`, async () => {
      const blob = await blobOf(bytes)
      let left: unknown
      let at = 0
      const body = new ReadableStream<Uint8Array>(
        {
          pull: (controller) => controller.enqueue(bytes.slice(at, (at += 1000))),
          cancel: (reason) => void (left = reason ?? 'left'),
        },
        { highWaterMark: 0 },
      )
      const fetch = async (): Promise<Response> => new Response(body)
      const reader = (
        await createRepository('registry.test/t/a', { fetch }).fetch(blob.descriptor)
      ).getReader()
      for (let chunk = 0; chunk < chunks; chunk++) await reader.read()
      await reader.cancel()
      expect(left).toBe('left')
    })

  it('rejects with the status for a missing blob', async () => {
    const { repository } = openFlaky(createRegistryHandler(), () => undefined)
    const { descriptor } = await blobOf('none')
    await expect(repository.fetch(descriptor)).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      status: 404,
      method: 'GET',
    })
  })
})
