import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { bodyFor } from '../../src/bytes/request-body.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { createTokenService } from '../../src/serve/token-service.ts'
import type { FetchHandler } from '../../src/types.ts'

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
const BYTES = new Uint8Array(1_300_000).map((_, i) => i * 31)

async function send(
  registry: FetchHandler,
  method: string,
  path: string,
  body?: BodyInit,
  headers: HeadersInit = {},
): Promise<Response> {
  return registry.fetch(
    new Request(new URL(path, 'https://registry.test'), {
      method,
      headers,
      ...(body !== undefined && { body, duplex: 'half' }),
    } as RequestInit),
  )
}

async function openUpload(registry: FetchHandler): Promise<string> {
  return (await send(registry, 'POST', '/v2/team/app/blobs/uploads/')).headers.get('Location')!
}

function inPieces(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(bytes.slice(at, at + 100_000))
      at += 100_000
      if (at >= bytes.length) controller.close()
    },
  })
}

describe('the registry in every runtime', () => {
  it('takes a blob as bytes, as a Blob and as a stream, and gives it back', async () => {
    const digest = await digestOf(BYTES)
    for (const body of [() => BYTES, () => new Blob([BYTES]), () => bodyFor(inPieces(BYTES))]) {
      const registry = createRegistryHandler()
      const pushed = await send(
        registry,
        'PUT',
        `${await openUpload(registry)}?digest=${digest}`,
        await body(),
      )
      expect(pushed.status).toBe(201)
      const pulled = await send(registry, 'GET', `/v2/team/app/blobs/${digest}`)
      expect([pulled.status, pulled.headers.get('Content-Length')]).toEqual([
        200,
        String(BYTES.length),
      ])
      expect(await digestOf(new Uint8Array(await pulled.arrayBuffer()))).toBe(digest)
    }
  })

  it('takes a blob in chunks and gives ranges of it', async () => {
    const registry = createRegistryHandler()
    const location = await openUpload(registry)
    for (let at = 0; at < BYTES.length; at += 500_000) {
      const chunk = BYTES.subarray(at, at + 500_000)
      const response = await send(registry, 'PATCH', location, chunk, {
        'Content-Range': `${at}-${at + chunk.length - 1}`,
      })
      expect([response.status, response.headers.get('Range')]).toEqual([
        202,
        `0-${at + chunk.length - 1}`,
      ])
    }
    const digest = await digestOf(BYTES)
    expect((await send(registry, 'PUT', `${location}?digest=${digest}`)).status).toBe(201)
    const part = await send(registry, 'GET', `/v2/team/app/blobs/${digest}`, undefined, {
      Range: 'bytes=499990-1000009',
    })
    expect([
      part.status,
      part.headers.get('Content-Range'),
      part.headers.get('Content-Length'),
    ]).toEqual([206, 'bytes 499990-1000009/1300000', '500020'])
    expect(await digestOf(new Uint8Array(await part.arrayBuffer()))).toBe(
      await digestOf(BYTES.subarray(499_990, 1_000_010)),
    )
  })

  it('refuses what has another digest, and keeps nothing', async () => {
    const storage = createMemoryStorage()
    const registry = createRegistryHandler({ storage })
    const wrong = await digestOf(encodeUtf8('other'))
    for (const body of [() => BYTES, () => inPieces(BYTES)]) {
      expect(
        (await send(registry, 'PUT', `${await openUpload(registry)}?digest=${wrong}`, body()))
          .status,
      ).toBe(400)
    }
    expect((await storage.list('')).entries).toEqual([])
  })

  it('keeps manifests to the byte, with tags and referrers', async () => {
    const registry = createRegistryHandler()
    const subject = {
      mediaType: OCI_INDEX,
      digest: await digestOf(encodeUtf8('elsewhere')),
      size: 9,
    }
    const text = JSON.stringify(
      { schemaVersion: 2, mediaType: OCI_INDEX, artifactType: 'text/x', manifests: [], subject },
      null,
      3,
    )
    const pushed = await send(registry, 'PUT', '/v2/team/app/manifests/v1', text, {
      'Content-Type': OCI_INDEX,
    })
    expect([pushed.status, pushed.headers.get('OCI-Subject')]).toEqual([201, subject.digest])
    const pulled = await send(registry, 'GET', '/v2/team/app/manifests/v1')
    expect([pulled.headers.get('Content-Type'), await pulled.text()]).toEqual([OCI_INDEX, text])
    const head = await send(registry, 'HEAD', '/v2/team/app/manifests/v1')
    expect([head.status, head.headers.get('Content-Length'), await head.text()]).toEqual([
      200,
      String(encodeUtf8(text).length),
      '',
    ])
    expect(await (await send(registry, 'GET', '/v2/team/app/tags/list')).json()).toEqual({
      name: 'team/app',
      tags: ['v1'],
    })
    const referrers = (await (
      await send(registry, 'GET', `/v2/team/app/referrers/${subject.digest}`)
    ).json()) as { manifests: { digest: string }[] }
    expect(referrers.manifests.map(({ digest }) => digest)).toEqual([
      await digestOf(encodeUtf8(text)),
    ])
    expect(
      (await send(registry, 'DELETE', `/v2/team/app/manifests/${referrers.manifests[0]!.digest}`))
        .status,
    ).toBe(202)
    expect((await send(registry, 'GET', '/v2/team/app/manifests/v1')).status).toBe(404)
  })

  it('signs and checks its own tokens', async () => {
    const registry = createRegistryHandler(
      createTokenService({
        authenticate: (name, password) => (password === 'x' ? name : undefined),
      }),
    )
    expect((await send(registry, 'GET', '/v2/')).status).toBe(401)
    const answer = await send(
      registry,
      'GET',
      '/token?scope=repository:team/app:pull,push',
      undefined,
      { Authorization: `Basic ${btoa('ann:x')}` },
    )
    const { token } = (await answer.json()) as { token: string }
    expect(
      (
        await send(registry, 'POST', '/v2/team/app/blobs/uploads/', undefined, {
          Authorization: `Bearer ${token}`,
        })
      ).status,
    ).toBe(202)
  })

  it('answers preflights', async () => {
    const registry = createRegistryHandler({ authorize: () => false, cors: { origins: '*' } })
    const response = await send(registry, 'OPTIONS', '/v2/a/blobs/uploads/', undefined, {
      'Access-Control-Request-Method': 'POST',
    })
    expect([response.status, response.headers.get('Access-Control-Allow-Origin')]).toEqual([
      204,
      '*',
    ])
  })
})
