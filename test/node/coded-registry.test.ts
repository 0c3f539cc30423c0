import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import * as zlib from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { pull } from '../../src/verbs/pull.ts'
import { push } from '../../src/verbs/push.ts'
import type { FetchLike } from '../../src/types.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { manifestOf } from '../fixtures/manifest.ts'

const { gzipSync } = zlib

/** A zstd frame of blocks that are not compressed. @see RFC 8878, 3.1.1 */
function zstdOf(bytes: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32LE(bytes.length)
  const blocks: Buffer[] = []
  for (let at = 0; at === 0 || at < bytes.length; at += 100_000) {
    const piece = bytes.subarray(at, at + 100_000)
    const head = Buffer.alloc(3)
    head.writeUIntLE((piece.length << 3) | (at + 100_000 >= bytes.length ? 1 : 0), 0, 3)
    blocks.push(head, piece)
  }
  return Buffer.concat([Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0xa0), size, ...blocks])
}

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

interface Asked {
  readonly method: string
  readonly path: string
  readonly range: string | undefined
}

/** A registry behind a proxy that codes what it answers, whatever it was asked for. */
async function start(
  code: (bytes: Buffer) => Buffer = gzipSync,
  coding = 'gzip',
  cutFirst = false,
): Promise<{ host: string; asked: Asked[] }> {
  const registry = createRegistryHandler({ storage: createMemoryStorage() })
  const asked: Asked[] = []
  let cut = cutFirst
  const server = createServer((incoming, answer) => {
    void (async () => {
      const { method = '', url = '', headers } = incoming
      asked.push({ method, path: url, range: headers.range })
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk as Buffer)
      const response = await registry.fetch(
        new Request(`http://${headers.host}${url}`, {
          method,
          headers: Object.fromEntries(
            Object.entries(headers).filter(([name]) => name !== 'connection'),
          ) as Record<string, string>,
          ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
        }),
      )
      const bytes = Buffer.from(await response.arrayBuffer())
      const out = Object.fromEntries(response.headers)
      const isCoded = response.ok && ['GET', 'HEAD'].includes(method)
      const coded = isCoded ? code(bytes) : bytes
      if (isCoded)
        Object.assign(out, { 'content-encoding': coding, 'content-length': coded.length })
      answer.writeHead(response.status, out)
      if (cut && method === 'GET' && url.includes('/blobs/')) {
        cut = false
        answer.write(coded.subarray(0, coded.length / 2), () =>
          setTimeout(() => answer.destroy(), 50),
        )
      } else answer.end(method === 'HEAD' ? undefined : coded)
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const wasm = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0)
const app = await loadApp({
  'spin.toml': manifestOf({ name: 'coded', source: 'app.wasm', more: 'files = ["page.html"]' }),
  'app.wasm': wasm,
  'page.html': '<p>page</p>'.repeat(1000),
})

// Node 22 can decode zstd, but its global `fetch`, that of undici 6, does not.
const zstdByFetch = Number(process.versions['undici']?.split('.')[0]) >= 7

describe.each<[string, FetchLike, boolean]>([
  ['Node’s client', createNodeFetch(), 'createZstdDecompress' in zlib],
  ['the global fetch', (request) => fetch(request), zstdByFetch],
])('by %s, what a proxy codes', (_, fetch, removesZstd) => {
  it('is pulled, and pushed a second time', async () => {
    const { host } = await start()
    const ref = `${host}/t/a:1`
    const { digest } = (await push(app, ref, { fetch })).descriptor
    const pulled = await pull(ref, { fetch })
    expect(pulled.descriptor.digest).toBe(digest)
    expect(await pulled.component('main')).toEqual(wasm)
    const files = await pulled.files('main')
    expect([...files.keys()]).toEqual(['page.html'])
    expect((await push(app, ref, { fetch })).descriptor.digest).toBe(digest)
  })

  it('is resumed from its beginning when it is cut off', async () => {
    // Random, so that half of it is half of it when it is coded too.
    const bytes = crypto.getRandomValues(new Uint8Array(60_000))
    const { host, asked } = await start(gzipSync, 'gzip', true)
    const repository = createRepository(`${host}/t/a`, { fetch, retry: { delay: () => 1 } })
    const descriptor = {
      mediaType: 'application/octet-stream',
      digest: await digestOf(bytes),
      size: bytes.length,
    }
    await repository.push(descriptor, bytes)
    const got = await readVerified(await repository.fetch(descriptor), descriptor)
    expect(Buffer.from(got).equals(bytes)).toBe(true)
    const gets = asked.filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'))
    expect(gets.map(({ range }) => range)).toEqual([undefined, undefined])
  })

  it('in a coding that nobody knows is an error that names it', async () => {
    const { host } = await start((bytes) => bytes, 'rot13')
    await push(app, `${host}/t/a:1`, { fetch }).catch(() => {})
    await expect(pull(`${host}/t/a:1`, { fetch })).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('content coding "rot13"'),
    })
  })

  it.each(['none', 'binary', 'utf-8', 'aws-chunked', 'AWS-Chunked, identity'])(
    'in no coding under the name of %s is pulled',
    async (coding) => {
      const { host } = await start((bytes) => bytes, coding)
      const { digest } = (await push(app, `${host}/t/a:1`, { fetch })).descriptor
      const pulled = await pull(`${host}/t/a:1`, { fetch })
      expect(pulled.descriptor.digest).toBe(digest)
      expect(await pulled.component('main')).toEqual(wasm)
    },
  )

  it.each([
    ['zstd', zstdOf],
    ['zstd, gzip', (bytes: Buffer) => gzipSync(zstdOf(bytes))],
    ['gzip, zstd', (bytes: Buffer) => zstdOf(gzipSync(bytes))],
  ])('in %s is pulled where it can be removed, else an error names it', async (coding, code) => {
    const { host } = await start(code, coding)
    const { digest } = (await push(app, `${host}/t/a:1`, { fetch })).descriptor
    const pulled = pull(`${host}/t/a:1`, { fetch }).then(async (found) => {
      expect(await found.component('main')).toEqual(wasm)
      return found.descriptor.digest
    })
    if (removesZstd) expect(await pulled).toBe(digest)
    else
      await expect(pulled).rejects.toMatchObject({
        code: 'ERR_UNSUPPORTED',
        message: expect.stringMatching(/content coding "(?:zstd|gzip)"/) as string,
      })
  })

  it('and which is not what it was is refused', async () => {
    const { host } = await start((bytes) => gzipSync(Buffer.concat([bytes, Buffer.from(' ')])))
    const blob = crypto.getRandomValues(new Uint8Array(100))
    const repository = createRepository(`${host}/t/a`, { fetch, retry: false })
    const descriptor = {
      mediaType: 'application/octet-stream',
      digest: await digestOf(blob),
      size: 100,
    }
    await repository.push(descriptor, blob)
    await expect(
      (async () => readVerified(await repository.fetch(descriptor), descriptor))(),
    ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
  })
})
