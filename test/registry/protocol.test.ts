import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { IMAGE_INDEX, IMAGE_MANIFEST, MANIFEST_TYPES } from '../../src/oci/manifest.ts'
import { createRepository, type Repository } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import type { TransportOptions } from '../../src/types.ts'
import { blobOf, collect, manifestOf, pushArtifact } from './artifacts.ts'

/** A registry that answers as told, and what it was asked. */
function answering(
  answer: (request: Request, count: number) => Response | Promise<Response>,
  options: TransportOptions = {},
): { repository: Repository; asked: Request[] } {
  const asked: Request[] = []
  const fetch = async (request: Request): Promise<Response> => {
    asked.push(request.clone())
    return answer(request, asked.length)
  }
  const repository = createRepository('registry.test/a', {
    retry: { delay: () => 1 },
    ...options,
    fetch,
  })
  return { repository, asked }
}

const refusal = (status: number, code: string): Response =>
  Response.json({ errors: [{ code, message: 'no' }] }, { status })

/** A registry of ours that changes some answers on their way. */
function changed(
  change: (response: Response, request: Request, count: number) => Response,
): ReturnType<typeof answering> {
  const inner = createRegistryHandler()
  return answering(async (request, count) => change(await inner.fetch(request), request, count))
}

describe('manifests', () => {
  it('are requested with all media types, by GET and HEAD', async () => {
    const { repository, asked } = changed((response) => response)
    const { manifest } = await pushArtifact(repository, 'x', 'v1')
    await repository.resolve('v1')
    await repository.fetch(manifest.descriptor)
    const sent = asked.filter(({ method, url }) => /GET|HEAD/.test(method) && /manifests/.test(url))
    expect(sent.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
    for (const { headers } of sent) {
      for (const type of MANIFEST_TYPES) expect(headers.get('accept')).toContain(type)
    }
  })

  it.each<[string, (response: Response) => void]>([
    ['has no digest', (response) => response.headers.delete('docker-content-digest')],
    ['has no length', (response) => response.headers.delete('content-length')],
    ['has a length that is no number', ({ headers }) => headers.set('content-length', '0x10')],
    ['has a length of another form', ({ headers }) => headers.set('content-length', '1e2')],
    [
      'has a digest that is none',
      ({ headers }) => headers.set('docker-content-digest', 'sha512:0'),
    ],
  ])('are fetched and hashed when the answer to HEAD %s', async (_, strip) => {
    const { repository, asked } = changed((response, { method, url }) => {
      if (method !== 'HEAD' || !url.includes('manifests')) return response
      const bare = new Response(null, response)
      strip(bare)
      return bare
    })
    const { manifest } = await pushArtifact(repository, 'x', 'v1')
    expect(await repository.resolve('v1')).toEqual(manifest.descriptor)
    expect(asked.at(-1)?.method).toBe('GET')
  })

  it('are fetched if HEAD is not supported', async () => {
    const { repository } = changed((response, { method }) =>
      method === 'HEAD' ? new Response(null, { status: 405 }) : response,
    )
    const { manifest } = await pushArtifact(repository, 'x', 'v1')
    expect(await repository.resolve('v1')).toEqual(manifest.descriptor)
  })

  it('are fetched along with resolving a tag, in the algorithm of the registry', async () => {
    const { bytes } = await manifestOf([])
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const digest = await digestOf(bytes, algorithm)
      const { repository, asked } = answering(
        () =>
          new Response(bytes, {
            headers: { 'content-type': IMAGE_MANIFEST, 'docker-content-digest': digest },
          }),
      )
      const found = await repository.resolve('v1', { withBytes: true })
      expect(found).toEqual({ mediaType: IMAGE_MANIFEST, digest, size: bytes.length })
      const taken = await repository.whole(found)
      expect(taken).toEqual(bytes)
      expect(asked.map(({ method }) => method)).toEqual(['GET'])
      // Whoever has taken them may do with them as they like.
      taken.fill(0)
      expect(await repository.whole(found)).toEqual(bytes)
    }
  })

  it('are then identified by sha256 if the registry sends an invalid digest', async () => {
    const { descriptor, bytes } = await manifestOf([])
    const headers = { 'content-type': IMAGE_MANIFEST, 'docker-content-digest': 'sha512:0' }
    const { repository } = answering(() => new Response(bytes, { headers }))
    expect(await repository.resolve('v1', { withBytes: true })).toEqual(descriptor)
  })

  it('fetched so do not match a descriptor of another size', async () => {
    const { repository } = changed((response) => response)
    await pushArtifact(repository, 'x', 'v1')
    const found = await repository.resolve('v1', { withBytes: true })
    const longer = { ...found, size: found.size + 1 }
    await expect(repository.fetch(longer)).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  })

  it('can have parameters in their Content-Type, but not another type', async () => {
    const { descriptor, bytes } = await manifestOf([])
    const as = (type: string): Repository =>
      answering(() => new Response(bytes, { headers: { 'content-type': type } })).repository
    expect(await as(`${IMAGE_MANIFEST}; charset=utf-8`).fetch(descriptor)).toBeDefined()
    await expect(as(IMAGE_INDEX).fetch(descriptor)).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })

  it('are put again if the registry does not know their last blob yet', async () => {
    let refused = 0
    const { repository } = changed((response, { method, url }) =>
      method === 'PUT' && url.includes('manifests') && refused++ === 0
        ? refusal(404, 'MANIFEST_BLOB_UNKNOWN')
        : response,
    )
    const { manifest } = await pushArtifact(repository, 'x', 'v1')
    expect(refused).toBe(2)
    expect((await repository.resolve('v1')).digest).toBe(manifest.descriptor.digest)
  })
})

describe('an upload', () => {
  it('is a POST without a body, then one PUT that keeps the query of the location', async () => {
    const { descriptor, bytes } = await blobOf('x'.repeat(1000))
    const { repository, asked } = answering(({ method }) =>
      method === 'POST'
        ? new Response(null, {
            status: 202,
            headers: { location: '/v2/a/blobs/uploads/1?_state=a%2Fb%3D' },
          })
        : new Response(null, { status: 201 }),
    )
    await repository.push(descriptor, bytes)
    expect(asked.map(({ method }) => method)).toEqual(['POST', 'PUT'])
    expect(asked[0]?.url).toBe('https://registry.test/v2/a/blobs/uploads/')
    expect((await asked[0]!.arrayBuffer()).byteLength).toBe(0)
    const put = new URL(asked[1]!.url)
    expect(put.searchParams.get('_state')).toBe('a/b=')
    expect(put.searchParams.get('digest')).toBe(descriptor.digest)
    expect(asked[1]?.headers.get('content-length')).toBe('1000')
  })

  it('continues at the same registry with credentials, with or without its default port', async () => {
    const { descriptor, bytes } = await blobOf('x')
    const { repository, asked } = answering(
      ({ method, headers }) =>
        headers.get('authorization') === null
          ? new Response(null, { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } })
          : method === 'POST'
            ? new Response(null, {
                status: 202,
                headers: { location: 'https://registry.test:443/v2/a/blobs/uploads/1' },
              })
            : new Response(null, { status: 201 }),
      { credentials: { username: 'u', password: 'p' } },
    )
    await repository.push(descriptor, bytes)
    expect(asked.at(-1)?.method).toBe('PUT')
    expect(asked.at(-1)?.headers.get('authorization')).toBe(`Basic ${btoa('u:p')}`)
  })

  it('compares the digest that the registry stored, in the same algorithm', async () => {
    const bytes = new TextEncoder().encode('x')
    const digest = await digestOf(bytes, 'sha512')
    const kept = await digestOf(bytes)
    const { repository } = answering(({ method }) =>
      method === 'POST'
        ? new Response(null, { status: 202, headers: { location: '/v2/a/blobs/uploads/1' } })
        : new Response(null, { status: 201, headers: { 'docker-content-digest': kept } }),
    )
    await repository.push({ mediaType: 'text/plain', digest, size: 1 }, bytes)
  })
})

describe('a download', () => {
  it('by sha512 is verified by sha512', async () => {
    const bytes = new TextEncoder().encode('x'.repeat(100))
    const target = {
      mediaType: 'text/plain',
      digest: await digestOf(bytes, 'sha512'),
      size: bytes.length,
    }
    const { repository } = changed((response) => response)
    await repository.push(target, bytes)
    expect(await readVerified(await repository.fetch(target), target)).toEqual(bytes)
    const { repository: liar } = answering(() => new Response('y'.repeat(100)))
    await expect(readVerified(await liar.fetch(target), target)).rejects.toMatchObject({
      code: 'ERR_DIGEST_MISMATCH',
    })
  })

  it.each([
    ['"tag"', '"tag"'],
    ['W/"tag"', null],
  ])('that was cut goes on only of the same content, told by %s', async (etag, sent) => {
    const { descriptor, bytes } = await blobOf('x'.repeat(1000))
    const { repository, asked } = answering((request) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.get('range') ?? '')?.[1] ?? 0)
      if (from === 0) {
        let given = 0
        const cut = new ReadableStream<Uint8Array>({
          pull: (controller) =>
            given++ === 0
              ? controller.enqueue(bytes.slice(0, 400))
              : controller.error(new Error('cut')),
        })
        return new Response(cut, { headers: { etag } })
      }
      return new Response(bytes.slice(from), {
        status: 206,
        headers: { 'content-range': `bytes ${from}-999/1000` },
      })
    })
    expect(await readVerified(await repository.fetch(descriptor), descriptor)).toEqual(bytes)
    expect(asked[1]?.headers.get('range')).toBe('bytes=400-')
    expect(asked[1]?.headers.get('if-range')).toBe(sent)
  })
})

describe('an error', () => {
  it.each([400, 401, 403, 404, 413, 416, 501, 505])(
    'with %i is not tried again',
    async (status) => {
      const { repository, asked } = answering(() => new Response('<p>no', { status }))
      const { descriptor } = await blobOf('x')
      await expect(repository.fetch(descriptor)).rejects.toMatchObject({ status })
      expect(asked.filter(({ url }) => !url.endsWith('/v2/'))).toHaveLength(1)
    },
  )

  // 520 to 530 are Cloudflare's: https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
  it.each([408, 425, 429, 500, 502, 503, 504, 506, 507, 508, 511, 520, 522, 524, 529, 530, 599])(
    'with %i is, twice',
    async (status) => {
      const { repository, asked } = answering(
        () => new Response(null, { status, headers: { 'retry-after': '0' } }),
      )
      const { descriptor } = await blobOf('x')
      await expect(repository.fetch(descriptor)).rejects.toMatchObject({ status })
      expect(asked).toHaveLength(3)
    },
  )

  it('of status 507 reports that the disk of the server is full', async () => {
    const { repository } = answering(
      () => new Response(null, { status: 507, headers: { 'retry-after': '0' } }),
    )
    await expect(repository.fetch((await blobOf('x')).descriptor)).rejects.toThrow(
      /was answered 507; the server's disk is full/,
    )
  })

  it('with a longer Retry-After than the limit is reported at once', async () => {
    const { repository, asked } = answering(
      () => new Response(null, { status: 503, headers: { 'retry-after': '3600' } }),
    )
    await expect(repository.resolve('v1')).rejects.toMatchObject({ status: 503 })
    expect(asked).toHaveLength(1)
  })

  it('in plain text is quoted', async () => {
    const { repository } = answering(
      () =>
        new Response('404 page not found', {
          status: 404,
          headers: { 'content-type': 'text/plain' },
        }),
    )
    await expect(repository.fetch((await blobOf('x')).descriptor)).rejects.toThrow(
      /GET https:\/\/registry\.test\/v2\/a\/blobs\/sha256:.*404/s,
    )
  })
})

describe('lists', () => {
  it('of tags end at a page without new tags', async () => {
    const { repository, asked } = answering(() =>
      Response.json(
        { name: 'a', tags: ['b', 'a'] },
        { headers: { link: '</v2/a/tags/list?last=b>; rel="next"' } },
      ),
    )
    expect(await collect(repository.tags())).toEqual(['a', 'b'])
    expect(asked).toHaveLength(2)
  })

  it('of referrers are filtered if the registry does not', async () => {
    const inner = createRegistryHandler()
    const { repository } = answering((request) => {
      const url = new URL(request.url)
      url.searchParams.delete('artifactType')
      return inner.fetch(new Request(url, request))
    })
    const { manifest } = await pushArtifact(repository, 'x', 'v1')
    for (const artifactType of ['a/b', 'a/c']) {
      const referrer = await manifestOf([], { subject: manifest.descriptor, artifactType })
      await repository.push(referrer.descriptor, referrer.bytes)
    }
    const found = await collect(repository.referrers(manifest.descriptor, { artifactType: 'a/b' }))
    expect(found.map(({ artifactType }) => artifactType)).toEqual(['a/b'])
  })

  it('of referrers under a tag describe the manifests, not the entries of the list', async () => {
    const inner = createRegistryHandler()
    const { repository } = answering((request) =>
      request.url.includes('/referrers/') ? refusal(404, 'NOT_FOUND') : inner.fetch(request),
    )
    const { manifest } = await pushArtifact(repository, 'x', 'v1')
    const referrer = await manifestOf([], {
      subject: manifest.descriptor,
      artifactType: 'a/b',
      annotations: { k: 'v' },
    })
    await repository.push(referrer.descriptor, referrer.bytes)
    // As cosign 3.1 writes it: cosign #4641.
    const wrong = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: IMAGE_INDEX,
        manifests: [{ ...referrer.descriptor, artifactType: 'application/vnd.oci.empty.v1+json' }],
      }),
    )
    await repository.push(
      { mediaType: IMAGE_INDEX, digest: await digestOf(wrong), size: wrong.length },
      wrong,
      { tag: manifest.descriptor.digest.replace(':', '-') },
    )
    expect(
      await collect(repository.referrers(manifest.descriptor, { artifactType: 'a/b' })),
    ).toMatchObject([{ artifactType: 'a/b', annotations: { k: 'v' } }])
  })
})
