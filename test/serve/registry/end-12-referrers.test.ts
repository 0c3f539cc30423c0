import { describe, expect, it } from 'vitest'
import { codeOf, createClient, EMPTY_TYPE, OCI_INDEX, OCI_MANIFEST } from './client.ts'
import type { Client } from './client.ts'

const NOWHERE = `sha256:${'0'.repeat(64)}` as const
const subject = { mediaType: OCI_MANIFEST, digest: NOWHERE, size: 7 }

interface Listed {
  schemaVersion: number
  mediaType: string
  manifests: {
    digest: string
    size: number
    mediaType: string
    artifactType?: string
    annotations?: Record<string, string>
  }[]
}

async function list(client: Client, path: string): Promise<{ response: Response; body: Listed }> {
  const response = await client.send('GET', path)
  expect([response.status, response.headers.get('Content-Type')]).toEqual([200, OCI_INDEX])
  return { response, body: (await response.json()) as Listed }
}

describe('end-12a: GET /v2/<name>/referrers/<digest>', () => {
  it('returns an empty index without referrers, even for an unknown repository', async () => {
    const { body } = await list(createClient(), `/v2/a/referrers/${NOWHERE}`)
    expect(body).toEqual({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] })
  })

  it('rejects an invalid digest', async () => {
    const response = await createClient().send('GET', '/v2/a/referrers/v1')
    expect([response.status, await codeOf(response)]).toEqual([400, 'DIGEST_INVALID'])
  })

  it('lists images and indexes with type, size and annotations, and answers their push with OCI-Subject', async () => {
    const client = createClient()
    const config = {
      mediaType: 'application/vnd.example.config+json',
      ...(await client.blob('a', '{}')),
    }
    const image = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [], subject }
    const pushed = [
      await client.manifest('a', undefined, { ...image, annotations: { key: 'value' } }),
      await client.manifest('a', 'v1', {
        ...image,
        artifactType: 'text/x',
        config: { ...config, mediaType: EMPTY_TYPE },
      }),
      await client.manifest('a', undefined, {
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [],
        subject,
        artifactType: 'text/y',
      }),
      await client.manifest('a', undefined, {
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [],
        subject,
      }),
    ]
    for (const { response } of pushed)
      expect([response.status, response.headers.get('OCI-Subject')]).toEqual([201, NOWHERE])
    const { body } = await list(client, `/v2/a/referrers/${NOWHERE}`)
    const [plain, typed, index, bare] = pushed.map(({ digest, bytes }) => ({
      digest,
      size: bytes.length,
    }))
    expect(body.manifests).toHaveLength(4)
    expect(body.manifests).toEqual(
      expect.arrayContaining([
        {
          ...plain,
          mediaType: OCI_MANIFEST,
          artifactType: config.mediaType,
          annotations: { key: 'value' },
        },
        { ...typed, mediaType: OCI_MANIFEST, artifactType: 'text/x' },
        { ...index, mediaType: OCI_INDEX, artifactType: 'text/y' },
        { ...bare, mediaType: OCI_INDEX },
      ]),
    )
  })

  it('lists only manifests of this repository, without deleted ones', async () => {
    const client = createClient()
    const { digest } = await client.image('a', undefined, { subject })
    await client.image('b', undefined, { subject })
    await client.image('b', 'second', { subject })
    expect(
      (await list(client, `/v2/a/referrers/${NOWHERE}`)).body.manifests.map(
        (entry) => entry.digest,
      ),
    ).toEqual([digest])
    await client.send('DELETE', `/v2/a/manifests/${digest}`)
    expect((await list(client, `/v2/a/referrers/${NOWHERE}`)).body.manifests).toEqual([])
    expect((await list(client, `/v2/b/referrers/${NOWHERE}`)).body.manifests).toHaveLength(2)
  })
})

describe('end-12b: GET /v2/<name>/referrers/<digest>?artifactType=', () => {
  it('filters, and answers with OCI-Filters-Applied', async () => {
    const client = createClient()
    const { digest } = await client.image('a', undefined, { subject, artifactType: 'text/x' })
    await client.image('a', undefined, { subject, artifactType: 'text/y+json' })
    const { response, body } = await list(client, `/v2/a/referrers/${NOWHERE}?artifactType=text/x`)
    expect(body.manifests.map((entry) => entry.digest)).toEqual([digest])
    expect(response.headers.get('OCI-Filters-Applied')).toBe('artifactType')
    expect(
      (
        await list(
          client,
          `/v2/a/referrers/${NOWHERE}?artifactType=${encodeURIComponent('text/y+json')}`,
        )
      ).body.manifests,
    ).toHaveLength(1)
    expect(
      (await list(client, `/v2/a/referrers/${NOWHERE}`)).response.headers.get(
        'OCI-Filters-Applied',
      ),
    ).toBeNull()
  })

  it('returns pages whose links keep the filter', async () => {
    const client = createClient()
    const wanted = new Set<string>()
    for (let i = 0; i < 7; i++) {
      const { digest } = await client.image('a', undefined, {
        subject,
        artifactType: i % 2 ? 'text/x' : 'text/y',
        annotations: { n: String(i) },
      })
      if (i % 2) wanted.add(digest)
    }
    const found: string[] = []
    let pages = 0
    for (
      let next: string | undefined = `/v2/a/referrers/${NOWHERE}?artifactType=text/x&n=2`;
      next !== undefined;
      pages++
    ) {
      const { response, body } = await list(client, next)
      found.push(...body.manifests.map((entry) => entry.digest))
      next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('Link') ?? '')?.[1]
    }
    expect(pages).toBe(4)
    expect(new Set(found)).toEqual(wanted)
    expect(found).toHaveLength(3)
  })

  it('returns pages small enough for clients, even with long annotations', async () => {
    const client = createClient()
    for (let i = 0; i < 5; i++)
      await client.image('a', undefined, {
        subject,
        annotations: { long: `${i}`.repeat(1_500_000) },
      })
    let seen = 0
    for (let next: string | undefined = `/v2/a/referrers/${NOWHERE}`; next !== undefined;) {
      const { response, body } = await list(client, next)
      expect(Number(response.headers.get('Content-Length'))).toBeLessThan(4 * 1024 * 1024)
      seen += body.manifests.length
      next = /^<([^>]+)>/.exec(response.headers.get('Link') ?? '')?.[1]
    }
    expect(seen).toBe(5)
  })
})
