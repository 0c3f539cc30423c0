import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../../src/bytes/text.ts'
import { freshStorage } from '../storage/fresh.ts'
import { codeOf, createClient, EMPTY_TYPE, OCI_INDEX, OCI_MANIFEST } from './client.ts'

const NOWHERE = `sha256:${'0'.repeat(64)}` as const

describe('end-7a: PUT /v2/<name>/manifests/<tag-or-digest>', () => {
  it('stores the exact bytes and type, by tag and by digest', async () => {
    const client = createClient()
    const config = await client.blob('a', '{}')
    const text = `{ "schemaVersion":2,\n "layers": [], "config": {"mediaType":"${EMPTY_TYPE}","digest":"${config.digest}","size":2},\t"more": "\\u00e9é" }\n`
    const bytes = encodeUtf8(text)
    const digest = await digestOf(bytes)
    for (const reference of ['v1', digest]) {
      const response = await client.send('PUT', `/v2/a/manifests/${reference}`, {
        headers: { 'Content-Type': OCI_MANIFEST },
        body: bytes,
      })
      expect(response.status).toBe(201)
      expect(response.headers.get('Location')).toBe(`/v2/a/manifests/${digest}`)
      expect(response.headers.get('Docker-Content-Digest')).toBe(digest)
      expect(response.headers.get('OCI-Subject')).toBeNull()
      for (const method of ['GET', 'HEAD']) {
        const got = await client.send(method, `/v2/a/manifests/${reference}`)
        expect([
          got.status,
          got.headers.get('Content-Type'),
          got.headers.get('Docker-Content-Digest'),
          got.headers.get('Content-Length'),
        ]).toEqual([200, OCI_MANIFEST, digest, String(bytes.length)])
        expect(new Uint8Array(await got.arrayBuffer())).toEqual(
          method === 'GET' ? bytes : new Uint8Array(0),
        )
      }
    }
  })

  it('accepts everything that the image specification allows', async () => {
    const client = createClient()
    const config = { mediaType: EMPTY_TYPE, ...(await client.blob('a', '{}')) }
    const { digest, size } = await client.image('a')
    const { digest: listed, response } = await client.manifest('a', undefined, {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [{ mediaType: OCI_MANIFEST, digest, size }],
    })
    expect(response.status).toBe(201)
    const accepted: object[] = [
      { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] },
      {
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        artifactType: 'text/x',
        config,
        layers: [],
        annotations: { ['__proto__']: 'x', constructor: 'y' },
      },
      {
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { ...config, data: 'e30=' },
        layers: [],
        unknown: { field: 1 },
      },
      {
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config,
        layers: [
          {
            mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar',
            digest: NOWHERE,
            size: 1,
            urls: ['https://a.example/'],
          },
        ],
      },
      {
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config,
        layers: [],
        subject: { mediaType: OCI_MANIFEST, digest: NOWHERE, size: 1 },
      },
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] },
      {
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [{ mediaType: OCI_INDEX, digest: listed, size: 300 }],
      },
      {
        schemaVersion: 2,
        mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
        config: { ...config, mediaType: 'application/vnd.docker.container.image.v1+json' },
        layers: [],
      },
      { mediaType: 'application/vnd.example.thing+json', anything: true },
    ]
    for (const manifest of accepted)
      expect(
        (await client.manifest('a', undefined, manifest)).response.status,
        JSON.stringify(manifest),
      ).toBe(201)
  })

  it('rejects invalid manifests with a reason', async () => {
    const client = createClient()
    const config = { mediaType: EMPTY_TYPE, ...(await client.blob('a', '{}')) }
    const refused: [string, object][] = [
      [OCI_MANIFEST, { schemaVersion: 1, config, layers: [] }],
      [OCI_MANIFEST, { schemaVersion: 2, mediaType: OCI_INDEX, config, layers: [] }],
      [OCI_MANIFEST, { schemaVersion: 2, layers: [] }],
      [OCI_INDEX, { schemaVersion: 2 }],
      [OCI_MANIFEST, { schemaVersion: 2, config, layers: [], manifests: [] }],
      [OCI_MANIFEST, { schemaVersion: 2, config, layers: {} }],
      [OCI_MANIFEST, { schemaVersion: 2, config: { ...config, digest: 'x' }, layers: [] }],
      [OCI_MANIFEST, { schemaVersion: 2, config: { ...config, size: -1 }, layers: [] }],
      [OCI_MANIFEST, { schemaVersion: 2, config: { ...config, size: 1.5 }, layers: [] }],
      [OCI_MANIFEST, { schemaVersion: 2, config, layers: [null] }],
      [OCI_MANIFEST, { schemaVersion: 2, config, layers: [], annotations: { a: 1 } }],
      [OCI_MANIFEST, { schemaVersion: 2, config, layers: [], subject: {} }],
      ['text/html', { schemaVersion: 2, config, layers: [] }],
      ['', { anything: true }],
    ]
    for (const [type, manifest] of refused) {
      const response = await client.send('PUT', '/v2/a/manifests/x', {
        headers: { 'Content-Type': type },
        body: encodeUtf8(JSON.stringify(manifest)),
      })
      expect([response.status, await codeOf(response)], JSON.stringify(manifest)).toEqual([
        400,
        'MANIFEST_INVALID',
      ])
    }
    for (const body of ['', 'null', '[]', '"x"', '{', new Uint8Array([0xff, 0xfe])]) {
      const response = await client.send('PUT', '/v2/a/manifests/x', {
        headers: { 'Content-Type': OCI_MANIFEST },
        body,
      })
      expect([response.status, await codeOf(response)], String(body)).toEqual([
        400,
        'MANIFEST_INVALID',
      ])
    }
    expect((await client.send('GET', '/v2/a/manifests/x')).status).toBe(404)
  })

  it('ignores parameters of the content type', async () => {
    const client = createClient()
    const { digest, response } = await client.manifest(
      'a',
      undefined,
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] },
      { 'Content-Type': `${OCI_INDEX}; charset=utf-8` },
    )
    expect(response.status).toBe(201)
    expect(
      (await client.send('GET', `/v2/a/manifests/${digest}`)).headers.get('Content-Type'),
    ).toBe(OCI_INDEX)
  })

  it('rejects a digest that does not match the bytes', async () => {
    const response = (
      await createClient().manifest('a', NOWHERE, {
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [],
      })
    ).response
    expect([response.status, await codeOf(response)]).toEqual([400, 'DIGEST_INVALID'])
  })

  it('accepts sha512 digests', async () => {
    const client = createClient()
    const bytes = encodeUtf8(`{"schemaVersion":2,"mediaType":"${OCI_INDEX}","manifests":[]}`)
    const digest = await digestOf(bytes, 'sha512')
    const response = await client.send('PUT', `/v2/a/manifests/${digest}?tag=v1`, {
      headers: { 'Content-Type': OCI_INDEX },
      body: bytes,
    })
    expect([response.status, response.headers.get('Docker-Content-Digest')]).toEqual([201, digest])
    expect(
      (await client.send('HEAD', '/v2/a/manifests/v1')).headers.get('Docker-Content-Digest'),
    ).toBe(digest)
  })

  it('lists all missing blobs and manifests, unless sparse manifests are allowed', async () => {
    const config = { mediaType: EMPTY_TYPE, digest: NOWHERE, size: 2 }
    const layer = { mediaType: 'text/plain', digest: `sha256:${'1'.repeat(64)}`, size: 2 }
    const image = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] }
    const index = {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [{ ...layer, mediaType: OCI_MANIFEST }],
    }
    const strict = createClient()
    const { response } = await strict.manifest('a', 'v1', image)
    expect(response.status).toBe(404)
    const { errors } = (await response.json()) as {
      errors: { code: string; detail: { digest: string } }[]
    }
    expect(errors.map(({ code, detail }) => [code, detail.digest])).toEqual([
      ['MANIFEST_BLOB_UNKNOWN', NOWHERE],
      ['MANIFEST_BLOB_UNKNOWN', layer.digest],
    ])
    expect((await strict.manifest('a', 'v1', index)).response.status).toBe(404)
    // A blob in another repository does not count.
    await strict.blob('b', '{}')
    const elsewhere = {
      ...image,
      config: { ...config, digest: await digestOf(encodeUtf8('{}')) },
      layers: [],
    }
    expect((await strict.manifest('a', 'v1', elsewhere)).response.status).toBe(404)
    expect((await strict.send('GET', '/v2/a/manifests/v1')).status).toBe(404)
    const lenient = createClient({ allowSparse: true })
    for (const manifest of [image, index])
      expect((await lenient.manifest('a', 'v1', manifest)).response.status).toBe(201)
  })

  it('accepts 4 MiB and rejects more with 413, with announced length or streamed', async () => {
    const client = createClient()
    const frame = `{"schemaVersion":2,"mediaType":"${OCI_INDEX}","manifests":[],"x":""}`
    const fit = frame.replace('""', `"${'x'.repeat(4 * 1024 * 1024 - frame.length)}"`)
    expect(
      (
        await client.send('PUT', '/v2/a/manifests/big', {
          headers: { 'Content-Type': OCI_INDEX },
          body: fit,
        })
      ).status,
    ).toBe(201)
    for (const headers of [
      { 'Content-Type': OCI_INDEX },
      { 'Content-Type': OCI_INDEX, 'Content-Length': '4194305' },
    ]) {
      const response = await client.send('PUT', '/v2/a/manifests/big', { headers, body: `${fit} ` })
      expect([response.status, await codeOf(response)]).toEqual([413, 'SIZE_INVALID'])
    }
  })

  it('sets a tag only if the condition of the client holds', async () => {
    const client = createClient()
    const one = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], annotations: { n: '1' } }
    const two = { ...one, annotations: { n: '2' } }
    expect((await client.manifest('a', 'v', one, { 'If-Match': '*' })).response.status).toBe(412)
    const first = await client.manifest('a', 'v', one, { 'If-None-Match': '*' })
    expect(first.response.status).toBe(201)
    expect((await client.manifest('a', 'v', two, { 'If-None-Match': '*' })).response.status).toBe(
      412,
    )
    expect((await client.manifest('a', 'v', two, { 'If-Match': '"x"' })).response.status).toBe(412)
    expect((await client.send('HEAD', '/v2/a/manifests/v')).headers.get('ETag')).toBe(
      `"${first.digest}"`,
    )
    expect(
      (await client.manifest('a', 'v', two, { 'If-Match': `"${first.digest}"` })).response.status,
    ).toBe(201)
  })

  it('lets exactly one of many conditional writes of a tag succeed, across two processes', async () => {
    const storage = freshStorage()
    const clients = [createClient({ storage }), createClient({ storage })]
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        clients[i % 2]!.manifest(
          'a',
          'v',
          { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], annotations: { n: String(i) } },
          { 'If-None-Match': '*' },
        ),
      ),
    )
    const won = results.filter(({ response }) => response.status === 201)
    expect(won).toHaveLength(1)
    expect(
      (await clients[0]!.send('HEAD', '/v2/a/manifests/v')).headers.get('Docker-Content-Digest'),
    ).toBe(won[0]!.digest)
  })
})

describe('end-7b: PUT by digest with ?tag=', () => {
  it('sets all tags and returns them', async () => {
    const client = createClient()
    const manifest = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }
    const digest = await digestOf(encodeUtf8(JSON.stringify(manifest)))
    const tags = Array.from({ length: 12 }, (_, i) => `v${i}`)
    const { response } = await client.manifest(
      'a',
      `${digest}?${tags.map((tag) => `tag=${tag}`).join('&')}`,
      manifest,
    )
    expect(response.status).toBe(201)
    expect(response.headers.get('OCI-Tag')).toBe(tags.join(', '))
    for (const tag of tags)
      expect(
        (await client.send('HEAD', `/v2/a/manifests/${tag}`)).headers.get('Docker-Content-Digest'),
      ).toBe(digest)
  })

  it('sets none when one is invalid, or when there are too many', async () => {
    const client = createClient()
    const manifest = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }
    const digest = await digestOf(encodeUtf8(JSON.stringify(manifest)))
    expect((await client.manifest('a', `${digest}?tag=ok&tag=-no`, manifest)).response.status).toBe(
      400,
    )
    const many = Array.from({ length: 101 }, (_, i) => `tag=v${i}`).join('&')
    expect((await client.manifest('a', `${digest}?${many}`, manifest)).response.status).toBe(414)
    expect((await client.send('GET', '/v2/a/manifests/ok')).status).toBe(404)
  })
})

describe('end-3: GET and HEAD /v2/<name>/manifests/<tag-or-digest>', () => {
  it.each(['GET', 'HEAD'])(
    'answers 404 to %s of a name that no manifest can have',
    async (method) => {
      const client = createClient()
      await client.image('a', 'v1')
      for (const name of ['.no-tag', 'x'.repeat(129)])
        expect((await client.send(method, `/v2/a/manifests/${name}`)).status).toBe(404)
      expect((await client.send('PUT', '/v2/a/manifests/.no-tag', { body: '{}' })).status).toBe(400)
    },
  )

  it('ignores Accept', async () => {
    const client = createClient()
    const { digest } = await client.image('a', 'v1')
    for (const accept of ['*/*', 'text/html', OCI_INDEX, '']) {
      expect(
        (
          await client.send('GET', '/v2/a/manifests/v1', { headers: { Accept: accept } })
        ).headers.get('Docker-Content-Digest'),
      ).toBe(digest)
    }
    const cached = await client.send('GET', '/v2/a/manifests/v1', {
      headers: { 'If-None-Match': `"${digest}"` },
    })
    expect([cached.status, cached.body]).toEqual([304, null])
  })

  it('answers 404 for a missing manifest and 400 for an invalid digest', async () => {
    const client = createClient()
    await client.image('a', 'v1')
    for (const reference of ['v2', NOWHERE]) {
      const response = await client.send('GET', `/v2/a/manifests/${reference}`)
      expect([response.status, await codeOf(response)]).toEqual([404, 'MANIFEST_UNKNOWN'])
    }
    expect((await client.send('GET', '/v2/b/manifests/v1')).status).toBe(404)
    for (const reference of ['sha256:0', 'sha999:00']) {
      expect((await client.send('GET', `/v2/a/manifests/${reference}`)).status, reference).toBe(400)
    }
  })
})

describe('end-9: DELETE /v2/<name>/manifests/<tag-or-digest>', () => {
  it('removes a tag and keeps the manifest', async () => {
    const client = createClient()
    const { digest } = await client.image('a', 'v1')
    expect((await client.send('DELETE', '/v2/a/manifests/v1')).status).toBe(202)
    expect((await client.send('GET', '/v2/a/manifests/v1')).status).toBe(404)
    expect((await client.send('GET', `/v2/a/manifests/${digest}`)).status).toBe(200)
    expect(await codeOf(await client.send('DELETE', '/v2/a/manifests/v1'))).toBe('MANIFEST_UNKNOWN')
  })

  it('removes a manifest with all of its tags, and no others', async () => {
    const client = createClient()
    const { digest } = await client.image('a', 'v1')
    await client.image('a', 'other')
    const { bytes } = await client.image('a', 'v1')
    await client.send('PUT', '/v2/a/manifests/v2', {
      headers: { 'Content-Type': OCI_MANIFEST },
      body: bytes,
    })
    expect((await client.send('DELETE', `/v2/a/manifests/${digest}`)).status).toBe(202)
    for (const reference of ['v1', 'v2', digest])
      expect((await client.send('GET', `/v2/a/manifests/${reference}`)).status).toBe(404)
    expect(await (await client.send('GET', '/v2/a/tags/list')).json()).toEqual({
      name: 'a',
      tags: ['other'],
    })
    expect((await client.send('DELETE', `/v2/a/manifests/${digest}`)).status).toBe(404)
  })

  it('never leaves a dangling tag after concurrent pushes and deletions', async () => {
    const client = createClient()
    for (let round = 0; round < 20; round++) {
      const { digest, bytes } = await client.image('a', 'v1')
      await Promise.all([
        client.send('DELETE', `/v2/a/manifests/${digest}`),
        client.send('PUT', '/v2/a/manifests/v1', {
          headers: { 'Content-Type': OCI_MANIFEST },
          body: bytes,
        }),
      ])
      const { tags } = (await (await client.send('GET', '/v2/a/tags/list')).json()) as {
        tags: string[]
      }
      for (const tag of tags)
        expect((await client.send('GET', `/v2/a/manifests/${tag}`)).status).toBe(200)
    }
  })
})
