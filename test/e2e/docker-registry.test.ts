import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { streamOf } from '../../src/bytes/stream.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { createRepository } from '../../src/registry/repository.ts'
import type { RepositoryOptions } from '../../src/registry/repository.ts'
import { blobOf, collect, manifestOf, pushArtifact } from '../registry/artifacts.ts'
import { missingRegistry, type RegistryProcess, startRegistry } from './docker-registry-process.ts'

const hash = (): string =>
  execFileSync('htpasswd', ['-Bbn', 'user', 'secret'], { encoding: 'utf8' })
const hasHtpasswd = ((): boolean => {
  try {
    return hash() !== ''
  } catch {
    return false
  }
})()

if (missingRegistry !== undefined) console.log(`left out: ${missingRegistry}`)
if (!hasHtpasswd) console.log('left out: docker-registry with a password, htpasswd is missing')

const random = (size: number): Uint8Array => {
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; at += 65_536)
    crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65_536)))
  return bytes
}

function proveAgainst(
  name: string,
  isLeftOut: boolean,
  htpasswd: () => string | undefined,
  options: RepositoryOptions,
): void {
  describe.skipIf(isLeftOut)(name, () => {
    let registry: RegistryProcess
    beforeAll(async () => {
      const file = htpasswd()
      registry = await startRegistry(file === undefined ? {} : { htpasswd: file })
    })
    afterAll(() => registry?.stop())
    const open = (path: string, more: RepositoryOptions = {}) =>
      createRepository(`${registry.host}/${path}`, { ...options, ...more })

    it('takes an artifact and gives it back', async () => {
      const repository = open('a/one')
      const { layer, manifest } = await pushArtifact(repository, 'hello', 'v1')
      expect(await repository.resolve('v1')).toEqual(manifest.descriptor)
      expect(await repository.has(layer.descriptor)).toBe(true)
      expect(
        await readVerified(await repository.fetch(layer.descriptor), layer.descriptor),
      ).toEqual(layer.bytes)
      expect(
        await readVerified(await repository.fetch(manifest.descriptor), manifest.descriptor),
      ).toEqual(manifest.bytes)
      expect(await repository.knownBlobs('v1')).toContain(layer.descriptor.digest)
      expect((await repository.knownBlobs('none')).size).toBe(0)
      await expect(repository.resolve('none')).rejects.toMatchObject({
        code: 'ERR_NOT_FOUND',
        status: 404,
      })
    })

    it('takes empty, large and streamed blobs', async () => {
      const repository = open('a/blobs')
      const empty = await blobOf('')
      await repository.push(empty.descriptor, empty.bytes)
      expect(await repository.has(empty.descriptor)).toBe(true)
      const large = await blobOf(random(5_000_000))
      const loaded: number[] = []
      await repository.push(large.descriptor, large.bytes, {
        onProgress: (event) => event.type === 'blob' && loaded.push(event.loaded),
      })
      expect(loaded.length).toBeGreaterThan(10)
      expect(Math.max(...loaded)).toBeLessThan(large.bytes.length)
      await readVerified(await repository.fetch(large.descriptor), large.descriptor)
      const streamed = await blobOf(random(3_000_000))
      await repository.push(streamed.descriptor, streamOf(streamed.bytes))
      expect(await repository.has(streamed.descriptor)).toBe(true)
      const fromBlob = await blobOf(random(700_000))
      await repository.push(fromBlob.descriptor, new Blob([fromBlob.bytes]))
      expect(await repository.has(fromBlob.descriptor)).toBe(true)
    })

    it('takes a blob in chunks', async () => {
      const repository = open('a/chunks', { chunkSize: 400_000 })
      const large = await blobOf(random(1_500_000))
      const loaded: number[] = []
      await repository.push(large.descriptor, new Blob([large.bytes]), {
        onProgress: (event) => event.type === 'blob' && loaded.push(event.loaded),
      })
      expect(loaded).toEqual([400_000, 800_000, 1_200_000])
      await readVerified(await repository.fetch(large.descriptor), large.descriptor)
    })

    it('says so when the bytes are not those of the digest', async () => {
      const repository = open('a/wrong')
      const { descriptor } = await blobOf('right')
      await expect(repository.push(descriptor, new Uint8Array(5))).rejects.toMatchObject({
        code: 'ERR_DIGEST_MISMATCH',
      })
      expect(await repository.has(descriptor)).toBe(false)
    })

    it('mounts a blob from another repository', async () => {
      const { layer } = await pushArtifact(open('a/from'), 'to be mounted', 'v1')
      const target = open('a/to')
      expect(await target.mount(layer.descriptor, 'a/from')).toBe(true)
      expect(await target.has(layer.descriptor)).toBe(true)
      const missing = await blobOf('not there')
      expect(await target.mount(missing.descriptor, 'a/from')).toBe(false)
      await target.push(missing.descriptor, missing.bytes)
      expect(await target.has(missing.descriptor)).toBe(true)
    })

    it('lists tags in order, tags by digest, deletes', async () => {
      const repository = open('a/tags')
      const { manifest } = await pushArtifact(repository, 'tagged', 'b')
      for (const tag of ['c', 'a', 'B']) await repository.tag(manifest.descriptor, tag)
      expect(await collect(repository.tags())).toEqual(['B', 'a', 'b', 'c'])
      await repository.delete(manifest.descriptor)
      await expect(repository.resolve('a')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    })

    it('keeps referrers under the fallback tag, also those pushed at once', async () => {
      const repository = open('a/refs')
      const { manifest, layer } = await pushArtifact(repository, 'subject', 'v1')
      const referrers = await Promise.all(
        Array.from({ length: 4 }, (_, n) =>
          manifestOf([layer.descriptor], {
            subject: manifest.descriptor,
            artifactType: `application/x.${n % 2}`,
            annotations: { n: `${n}` },
          }),
        ),
      )
      await Promise.all(
        referrers.map(({ descriptor, bytes }) => open('a/refs').push(descriptor, bytes)),
      )
      const found = await collect(repository.referrers(manifest.descriptor))
      expect(new Set(found.map(({ digest }) => digest))).toEqual(
        new Set(referrers.map(({ descriptor }) => descriptor.digest)),
      )
      const odd = await collect(
        repository.referrers(manifest.descriptor, { artifactType: 'application/x.1' }),
      )
      expect(odd.map(({ annotations }) => annotations?.['n']).sort()).toEqual(['1', '3'])
      for (const { descriptor } of referrers) await repository.delete(descriptor)
      expect(await collect(repository.referrers(manifest.descriptor))).toEqual([])
      expect((await collect(repository.tags())).filter((tag) => tag.startsWith('sha256-'))).toEqual(
        [],
      )
    })
  })
}

proveAgainst('docker-registry', missingRegistry !== undefined, () => undefined, {})
proveAgainst(
  'docker-registry with a password',
  missingRegistry !== undefined || !hasHtpasswd,
  hash,
  {
    credentials: { username: 'user', password: 'secret' },
  },
)

describe.skipIf(missingRegistry !== undefined || !hasHtpasswd)(
  'docker-registry with a wrong password',
  () => {
    it('rejects with what to do, and without the password', async () => {
      const registry = await startRegistry({ htpasswd: hash() })
      try {
        const repository = createRepository(`${registry.host}/a/b`, {
          credentials: { username: 'user', password: 'hunter22' },
        })
        const error = await repository.resolve('v1').catch((reason: unknown) => reason)
        expect(error).toMatchObject({ code: 'ERR_UNAUTHORIZED', status: 401 })
        expect(String(error)).toMatch(/credentials/)
        expect(String(error)).not.toMatch(/hunter22/)
      } finally {
        await registry.stop()
      }
    })
  },
)
