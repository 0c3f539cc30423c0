import { afterAll, beforeAll, describe, vi } from 'vitest'
import { createS3Storage } from '../../src/serve/storage/s3.ts'
import { keepIn } from '../serve/storage/fresh.ts'
import { missingS3, startS3 } from './s3-process.ts'
import type { S3Process } from './s3-process.ts'

if (missingS3 !== undefined) console.log(`left out: ${missingS3}`)

// This server does one thing at a time, each over HTTP.
vi.setConfig({ testTimeout: 120_000 })

let server: S3Process
let places = 0
beforeAll(async () => {
  if (missingS3 === undefined) server = await startS3()
})
afterAll(() => server?.stop())

keepIn(() =>
  createS3Storage({
    endpoint: server.endpoint,
    bucket: server.bucket,
    accessKeyId: 'key',
    secretAccessKey: 'secret',
    region: 'us-east-1',
    prefix: `rules-${++places}/`,
  }),
)
if (missingS3 === undefined) await import('../serve/storage/rules.ts')
else describe.skip('the rules of registry and Bindle over an S3 server', () => {})
