import { env } from 'cloudflare:test'
import { createR2Storage } from '../../src/serve/storage/r2.ts'
import type { R2BucketBinding } from '../../src/serve/storage/r2.ts'
import { keepIn } from '../serve/storage/rules.ts'

let places = 0
keepIn(() => createR2Storage(env.BUCKET as R2BucketBinding, { prefix: `rules-${++places}/` }))
