import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { afterEach, expect, it } from 'vitest'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import type { FetchLike } from '../../src/types.ts'

// A registry, or who is on the way, answers with a few bytes in a content coding that unpack to
// gigabytes, though no coding was asked for.

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function serve(coding: string, bytes: Uint8Array): Promise<string> {
  const type = 'application/vnd.oci.image.manifest.v1+json'
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': type, 'content-encoding': coding }).end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}/t/a`
}

const ZEROS = Buffer.alloc(64 * 1024 * 1024)
const GZIP = gzipSync(ZEROS)
const MANY = Buffer.concat(Array.from({ length: 16 }, () => GZIP))
const bombs: [string, Uint8Array][] = [
  ['gzip', MANY],
  ['br', brotliCompressSync(ZEROS)],
  ['gzip, gzip', gzipSync(MANY)],
]

const digest = `sha256:${'0'.repeat(64)}` as const

it.each<[string, FetchLike]>([
  ['Node’s client', createNodeFetch()],
  ['the global fetch', (request) => fetch(request)],
])('by %s, they are left at the limit', async (_, fetch) => {
  for (const [coding, bytes] of bombs) {
    const repository = createRepository(await serve(coding, bytes), { fetch, retry: false })
    const before = process.memoryUsage().arrayBuffers
    await expect(repository.resolve(digest, { withBytes: true })).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
    const blob = { mediaType: 'application/octet-stream', digest, size: 1000 }
    await expect(
      (async () => readVerified(await repository.fetch(blob), blob))(),
    ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(48 * 1024 * 1024)
  }
})
