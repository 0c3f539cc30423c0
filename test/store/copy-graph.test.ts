import { describe, expect, it } from 'vitest'
import { readVerified } from '../../src/bytes/verified.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { copyGraph } from '../../src/store/copy-graph.ts'
import { copyReferrers } from '../../src/store/copy-referrers.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Descriptor, Store, TransferEvent } from '../../src/types.ts'
import { putArtifact, putIndex } from './artifact.ts'

/** Writes down what is asked of a store, in order. */
function recorded<S extends Store>(store: S): { store: S; calls: string[] } {
  const calls: string[] = []
  const wrapped = Object.fromEntries(
    Object.entries(store).map(([name, method]) => [
      name,
      (...args: unknown[]) => {
        calls.push(
          name === 'push' ? `push ${(args[0] as Descriptor).mediaType.split('/')[1]}` : name,
        )
        return (method as (...all: unknown[]) => unknown)(...args)
      },
    ]),
  ) as unknown as S
  return { store: wrapped, calls }
}

describe('copying a graph', () => {
  it('sends blobs, then manifests from the leaves up, the tag with the last', async () => {
    const from = createMemoryStore()
    const root = await putIndex(from, [
      await putArtifact(from, ['one', 'two']),
      await putArtifact(from, ['two', 'three']),
    ])
    const to = recorded(createMemoryStore())
    await copyGraph(from, to.store, root, { tag: 'v1', concurrency: 1 })
    const pushes = to.calls.filter((call) => call.startsWith('push'))
    expect(pushes).toEqual([
      ...Array<string>(3).fill('push plain'),
      'push vnd.oci.empty.v1+json',
      'push vnd.oci.image.manifest.v1+json',
      'push vnd.oci.image.manifest.v1+json',
      'push vnd.oci.image.index.v1+json',
    ])
    expect(await to.store.resolve('v1')).toEqual(root)
  })

  it('sends only the tag when the root exists', async () => {
    const from = createMemoryStore()
    const root = await putArtifact(from, ['one'])
    const inner = createMemoryStore()
    await copyGraph(from, inner, root)
    const to = recorded(inner)
    await copyGraph(from, to.store, root, { tag: 'again' })
    expect(to.calls.filter((call) => call.startsWith('push'))).toEqual([
      'push vnd.oci.image.manifest.v1+json',
    ])
    expect(await inner.resolve('again')).toEqual(root)
  })

  it("does not check blobs that the tag's manifest lists", async () => {
    const from = createMemoryStore()
    const old = await putArtifact(from, ['one', 'two'])
    const root = await putArtifact(from, ['one', 'two', 'three'])
    const inner = createMemoryStore()
    await copyGraph(from, inner, old, { tag: 'v1' })
    const shared = await Promise.all(['one', 'two'].map((text) => digestIn(from, root, text)))
    const to = recorded({ ...inner, knownBlobs: async () => new Set(shared) })
    await copyGraph(from, to.store, root, { tag: 'v1' })
    expect(to.calls.filter((call) => call === 'push plain')).toHaveLength(1)
  })

  it('reports plan, blobs and manifest in this order, and done only after the other side has acknowledged', async () => {
    const from = createMemoryStore()
    const root = await putArtifact(from, ['one', 'two'])
    const inner = createMemoryStore()
    const kept = new Set<string>()
    const to: Store = {
      ...inner,
      push: async (expected, ...rest) => {
        await inner.push(expected, ...rest)
        kept.add(expected.digest)
      },
    }
    const events: TransferEvent[] = []
    await copyGraph(from, to, root, {
      tag: 'v1',
      onProgress: (event) => {
        events.push(event)
        if (event.type === 'blob' && event.loaded === event.descriptor.size)
          expect(kept.has(event.descriptor.digest)).toBe(true)
      },
    })
    expect(events[0]).toEqual({ type: 'plan', blobs: 3, bytes: 8 })
    expect(events.filter((event) => event.type === 'blob' && event.status === 'done')).toHaveLength(
      3,
    )
    expect(events.at(-1)).toMatchObject({ type: 'manifest', tag: 'v1' })
  })

  it('writes the tag after the referrers', async () => {
    const from = createMemoryStore()
    const root = await putArtifact(from, ['app'])
    const signature = await putArtifact(from, ['signature'], {
      subject: root,
      artifactType: 'x/signature',
    })
    await putArtifact(from, ['of the signature'], {
      subject: signature,
      artifactType: 'x/signature',
    })
    const to = recorded(createMemoryStore())
    await copyGraph(from, to.store, root, {
      tag: 'v1',
      beforeTag: () => copyReferrers(from, to.store, root),
    })
    expect(to.calls.at(-1)).toBe('tag')
    const found: Descriptor[] = []
    for await (const referrer of to.store.referrers(root)) found.push(referrer)
    expect(found).toMatchObject([{ digest: signature.digest, artifactType: 'x/signature' }])
  })

  it('leaves no tag after a failure, and the next copy resumes', async () => {
    const from = createMemoryStore()
    const root = await putArtifact(from, ['one', 'two', 'three'])
    const inner = createMemoryStore()
    let left = 2
    const failing: Store = {
      ...inner,
      push: async (...args) => {
        if (left-- === 0) throw new Error('cut')
        return inner.push(...args)
      },
    }
    await expect(copyGraph(from, failing, root, { tag: 'v1', concurrency: 1 })).rejects.toThrow(
      'cut',
    )
    await expect(inner.resolve('v1')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    const to = recorded(inner)
    await copyGraph(from, to.store, root, { tag: 'v1' })
    expect(
      to.calls.filter((call) => call.startsWith('push') && !call.includes('image')),
    ).toHaveLength(2)
  })

  it('rejects with the reason itself when aborted', async () => {
    const from = createMemoryStore()
    const root = await putArtifact(from, ['one'])
    const abort = new AbortController()
    const reason = { enough: true }
    abort.abort(reason)
    await expect(copyGraph(from, createMemoryStore(), root, { signal: abort.signal })).rejects.toBe(
      reason,
    )
  })

  it('refuses content that does not match its descriptor, and stores none of it', async () => {
    const from = createMemoryStore()
    const root = await putArtifact(from, ['one'])
    const lying = {
      ...from,
      content: () => undefined,
      fetch: async (target: Descriptor) =>
        target.mediaType === 'text/plain' ? new Response('two').body! : from.fetch(target),
    }
    const to = createMemoryStore()
    await expect(copyGraph(lying, to, root, { tag: 'v1' })).rejects.toMatchObject({
      code: 'ERR_DIGEST_MISMATCH',
    })
    await expect(to.resolve('v1')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  })

  it('refuses to copy a blob for an artifact', async () => {
    const from = createMemoryStore()
    const blob: Descriptor = {
      mediaType: 'text/plain',
      digest: 'sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed',
      size: 3,
    }
    await from.push(blob, encodeUtf8('one'))
    await expect(copyGraph(from, createMemoryStore(), blob)).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })
})

async function digestIn(
  store: ReturnType<typeof createMemoryStore>,
  root: Descriptor,
  text: string,
): Promise<Descriptor['digest']> {
  const manifest = JSON.parse(
    new TextDecoder().decode(await readVerified(await store.fetch(root), root)),
  ) as { layers: Descriptor[] }
  for (const layer of manifest.layers) {
    if (new TextDecoder().decode(await readVerified(await store.fetch(layer), layer)) === text)
      return layer.digest
  }
  throw new Error(`no layer ${text}`)
}
