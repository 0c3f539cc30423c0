import { describe, expect, it } from 'vitest'
import { pushStandalone } from '../../src/bindle/push-standalone.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { bindleOf, clientOf, SERVER } from '../bindle/small-bindle.ts'
import { createClient } from '../serve/registry/client.ts'

// A proxy or a browser between client and server keeps what it may: never a refusal, which ends with
// the next push or login, nor for others what only some may read; nor another answer to HEAD than to GET.

const NOWHERE = `sha256:${'0'.repeat(64)}`

/** A registry that has something at each of these, and nothing at the others. */
async function registry(authorize?: () => boolean) {
  const client = createClient(authorize === undefined ? {} : { authorize })
  const { digest, layer } = await client.image('a', 'v1')
  const there = [
    '/v2/',
    '/v2/_catalog',
    '/v2/a/tags/list',
    '/v2/a/manifests/v1',
    `/v2/a/manifests/${digest}`,
    `/v2/a/blobs/${layer}`,
    `/v2/a/referrers/${digest}`,
  ]
  const absent = [
    '/v2/a/manifests/v2',
    `/v2/a/manifests/${NOWHERE}`,
    `/v2/a/blobs/${NOWHERE}`,
    '/v2/a/blobs/sha256:x',
    '/v2/b/tags/list',
    '/v2/A/tags/list',
    '/elsewhere',
  ]
  return { ...client, there, absent }
}

describe('a registry', () => {
  it('lets no refusal be kept', async () => {
    const { send, absent } = await registry()
    for (const path of absent) {
      const { status, headers } = await send('GET', path)
      expect([status >= 400, headers.get('Cache-Control')], path).toEqual([true, 'no-store'])
    }
  })

  it('lets nobody keep for others what not all may read', async () => {
    const { send, there } = await registry(() => true)
    for (const path of there)
      expect((await send('GET', path)).headers.get('Cache-Control') ?? '', path).not.toMatch(
        /public|s-maxage/,
      )
  })

  it('answers HEAD as GET, but for the body', async () => {
    const { send, there, absent } = await registry()
    for (const path of [...there, ...absent]) {
      const [get, head] = [await send('GET', path), await send('HEAD', path)]
      expect([head.status, [...head.headers]], path).toEqual([get.status, [...get.headers]])
      expect(head.body).toBeNull()
    }
  })
})

it('a Bindle server lets no document be kept, and a parcel by who asked for it alone', async () => {
  const handler = createBindleHandler()
  const bindle = await bindleOf(['red'])
  await pushStandalone(clientOf(handler), bindle)
  const ask = async (method: string, path: string): Promise<Response> =>
    handler.fetch(new Request(`${SERVER}${path}`, { method }))
  const parcel = `/_i/${bindle.id}@${bindle.invoice.parcel![0]!.label.sha256}`
  const documents = [`/_i/${bindle.id}`, '/_q', '/bindle-keys', `/_r/missing/${bindle.id}`]
  for (const path of [...documents, '/_i/no/1.0.0', '/_q?x=1', parcel]) {
    const [get, head] = [await ask('GET', path), await ask('HEAD', path)]
    const kept = path === parcel ? 'private' : 'no-store'
    expect(get.headers.get('Cache-Control'), path).toBe(kept)
    expect([head.status, [...head.headers]], path).toEqual([get.status, [...get.headers]])
  }
})
