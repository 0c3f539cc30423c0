import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PART_BYTES } from '../../src/serve/storage/pieces.ts'
import type { Storage } from '../../src/serve/storage/port.ts'
import { createS3Storage } from '../../src/serve/storage/s3.ts'
import type { S3StorageOptions } from '../../src/serve/storage/s3.ts'
import { describeStorage } from '../serve/storage/contract.ts'
import { describeBindleInstances } from '../serve/storage/bindle-instances.ts'
import { describeInstances } from '../serve/storage/instances.ts'
import { missingS3, startS3 } from './s3-process.ts'
import type { S3Process } from './s3-process.ts'

if (missingS3 !== undefined) console.log(`left out: ${missingS3}`)

describe.skipIf(missingS3 !== undefined)('an S3 server', () => {
  let server: S3Process
  let places = 0
  beforeAll(async () => {
    server = await startS3()
  })
  afterAll(() => server?.stop())

  const openAt = (prefix: string, more: Partial<S3StorageOptions> = {}): Storage =>
    createS3Storage({
      endpoint: server.endpoint,
      bucket: server.bucket,
      accessKeyId: 'key',
      secretAccessKey: 'secret',
      region: 'us-east-1',
      prefix,
      ...more,
    })
  const create = async () => {
    const prefix = `place-${++places}/`
    return { storage: openAt(prefix), open: () => openAt(prefix) }
  }

  describeStorage('S3', create)
  describeInstances('S3', create, 4)
  describeBindleInstances('S3', create, 4)

  const pieces = (count: number, fail?: Error): ReadableStream<Uint8Array> => {
    let sent = 0
    return new ReadableStream(
      {
        pull(controller) {
          if (sent++ < count) controller.enqueue(new Uint8Array(1_000_000).fill(sent))
          else if (fail === undefined) controller.close()
          else controller.error(fail)
        },
      },
      { highWaterMark: 0 },
    )
  }

  it('sends what is large in parts, of known and unknown size', async () => {
    const methods: string[] = []
    const storage = openAt('parts/', {
      fetch: (request) => {
        methods.push(`${request.method} ${new URL(request.url).search.replaceAll(/=[^&]*/g, '')}`)
        return fetch(request)
      },
    })
    for (const [index, options] of [{}, { size: 20_000_000 }, { ifAbsent: true }].entries()) {
      methods.length = 0
      const key = `large-${index}`
      expect((await storage.put(key, pieces(20), options)).stored).toBe(true)
      expect(methods.filter((method) => method.startsWith('PUT'))).toHaveLength(
        Math.ceil(20_000_000 / PART_BYTES),
      )
      const value = (await storage.get(key, { range: { offset: 8_999_990, length: 20 } }))!
      expect(value.size).toBe(20_000_000)
      const bytes = new Uint8Array(await new Response(value.body).arrayBuffer())
      expect([...bytes]).toEqual([...Array(10).fill(9), ...Array(10).fill(10)])
    }
  })

  it('keeps no part of what broke, was too short, or came second', async () => {
    const storage = openAt('broken/')
    const cut = new Error('cut')
    await expect(storage.put('cut', pieces(20, cut))).rejects.toBe(cut)
    await expect(storage.put('short', pieces(20), { size: 20_000_001 })).rejects.toMatchObject({
      code: 'ERR_DIGEST_MISMATCH',
    })
    const results = await Promise.all(
      Array.from({ length: 4 }, () => storage.put('one', pieces(10), { ifAbsent: true })),
    )
    expect(results.filter(({ stored }) => stored)).toHaveLength(1)
    const open = await fetch(`${server.endpoint}/${server.bucket}?uploads`)
    expect(await open.text()).not.toContain('<Upload>')
    expect((await storage.list('')).entries.map(({ key }) => key)).toEqual(['one'])
  })

  it('says what is wrong, without the secret', async () => {
    const storage = openAt('', { bucket: 'nobody-made-this-bucket' })
    await expect(storage.put('key', new Uint8Array(1))).rejects.toSatisfy(
      (error: Error) => /NoSuchBucket/.test(error.message) && !/secret/.test(error.message),
    )
  })
})
