import { describe, expect, it } from 'vitest'
import { readVerified } from '../../src/bytes/stream.ts'
import { IMAGE_MANIFEST } from '../../src/oci/manifest.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { blobOf, collect } from '../registry/artifacts.ts'

/** Never ends; counts what is taken of it. */
function endless(): { body: ReadableStream<Uint8Array>; taken: () => number } {
  let taken = 0
  const body = new ReadableStream<Uint8Array>(
    { pull: (controller) => controller.enqueue(new Uint8Array((taken += 65_536) && 65_536)) },
    { highWaterMark: 0 },
  )
  return { body, taken: () => taken }
}
const open = (answer: (request: Request) => Response) =>
  createRepository('registry.test/a', {
    fetch: async (request) => answer(request),
    retry: false,
    credentials: { username: 'u', password: 'p' },
  })

describe('what a hostile registry answers', () => {
  it('is read up to a limit: manifests, error bodies, token answers, blobs', async () => {
    const manifest = endless()
    await expect(
      open((request) =>
        request.method === 'HEAD'
          ? new Response(null)
          : new Response(manifest.body, { headers: { 'content-type': IMAGE_MANIFEST } }),
      ).resolve('v1'),
    ).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
    expect(manifest.taken()).toBeLessThan(5_000_000)
    const failure = endless()
    await expect(
      open(() => new Response(failure.body, { status: 400 })).resolve('v1'),
    ).rejects.toMatchObject({ status: 400 })
    expect(failure.taken()).toBeLessThan(200_000)
    const token = endless()
    await expect(
      open((request) =>
        request.url.includes('/token')
          ? new Response(token.body)
          : new Response(null, {
              status: 401,
              headers: { 'www-authenticate': 'Bearer realm="https://registry.test/token"' },
            }),
      ).resolve('v1'),
    ).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
    expect(token.taken()).toBeLessThan(300_000)
    const blob = endless()
    const { descriptor } = await blobOf('small')
    await expect(
      (async () =>
        readVerified(await open(() => new Response(blob.body)).fetch(descriptor), descriptor))(),
    ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
    expect(blob.taken()).toBeLessThan(300_000)
  })

  it('sends an upload nowhere but over https', async () => {
    const { descriptor, bytes } = await blobOf('x')
    for (const location of ['http://evil.test/x', 'file:///x', 'javascript:0'])
      await expect(
        open(() => new Response(null, { status: 202, headers: { location } })).push(
          descriptor,
          bytes,
        ),
      ).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
  })

  it('sends an upload to another host without credentials', async () => {
    const { descriptor, bytes } = await blobOf('x')
    const seen: (string | null)[] = []
    const repository = open((request) => {
      if (new URL(request.url).host === 'storage.test') {
        seen.push(request.headers.get('authorization'))
        return new Response(null, { status: 201 })
      }
      return request.headers.get('authorization') === null
        ? new Response(null, { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } })
        : new Response(null, { status: 202, headers: { location: 'https://storage.test/up' } })
    })
    await repository.push(descriptor, bytes)
    expect(seen).toEqual([null])
  })

  it('leads no list away or round and round', async () => {
    const tags = (link: string) =>
      open(() => Response.json({ tags: ['a'] }, { headers: { link } })).tags()
    await expect(
      collect(tags('<https://evil.test/v2/a/tags/list>; rel="next"')),
    ).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
    expect(await collect(tags('</v2/a/tags/list?last=a>; rel="next"'))).toEqual(['a'])
  })
})
