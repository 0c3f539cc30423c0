import { createR2Storage } from 'spindle/serve'
import type { R2BucketBinding } from 'spindle/serve'
import type { Current, Memory } from './current.ts'
import { hash } from './hash.ts'

/**
 * What the reference last meant, kept where another instance finds it: in the bucket, or without
 * one in the cache. It is written only after the policy held and components were ready, so it is
 * kept by those: another policy finds nothing and verifies anew.
 */
export async function createMemory(
  bucket: R2BucketBinding | undefined,
  identity: string,
): Promise<Memory> {
  const name = await hash(identity)
  if (bucket !== undefined) {
    const storage = createR2Storage(bucket, { prefix: 'current/' })
    return {
      async read() {
        const value = await storage.get(name)
        return value === undefined ? undefined : parse(await new Response(value.body).text())
      },
      async write(current) {
        await storage.put(name, new TextEncoder().encode(JSON.stringify(current)))
      },
    }
  }
  const url = `https://current.invalid/${name}`
  return {
    async read() {
      const response = await caches.default.match(url)
      return response === undefined ? undefined : parse(await response.text())
    },
    async write(current) {
      const headers = { 'cache-control': 'public, max-age=31536000' }
      await caches.default.put(url, new Response(JSON.stringify(current), { headers }))
    },
  }
}

/** What can't be read is no memory. */
function parse(text: string): Current | undefined {
  try {
    const { descriptor, checked } = JSON.parse(text) as Partial<Current>
    return descriptor !== undefined && typeof checked === 'number'
      ? { descriptor, checked }
      : undefined
  } catch {
    return undefined
  }
}
