import { expect } from 'vitest'
import { digestOf } from '../../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../../src/bytes/text.ts'
import { createRegistryHandler } from '../../../src/serve/registry/handler.ts'
import type { RegistryHandlerOptions } from '../../../src/serve/registry/handler.ts'
import type { Digest } from '../../../src/types.ts'
import { freshStorage } from '../storage/fresh.ts'

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
export const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json'

export interface SendOptions {
  headers?: Readonly<Record<string, string>>
  body?: Uint8Array | string | ReadableStream<Uint8Array>
}

/** A minimal HTTP client of a local registry, without retries or added headers. */
export interface Client {
  send(method: string, path: string, options?: SendOptions): Promise<Response>
  /** Pushes a blob by POST and PUT. */
  blob(repository: string, content: string | Uint8Array): Promise<{ digest: Digest; size: number }>
  manifest(
    repository: string,
    reference: string | undefined,
    manifest: object,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ digest: Digest; response: Response; bytes: Uint8Array }>
  /** Pushes an image with an empty config and one layer. */
  image(
    repository: string,
    reference?: string,
    more?: object,
  ): Promise<{ digest: Digest; size: number; bytes: Uint8Array; layer: Digest }>
}

export function createClient(options: RegistryHandlerOptions = {}): Client {
  const registry = createRegistryHandler({
    onError: (error) => {
      throw error
    },
    storage: freshStorage(),
    ...options,
  })
  const client: Client = {
    send: (method, path, { headers = {}, body } = {}) =>
      registry.fetch(
        new Request(new URL(path, 'https://registry.test'), {
          method,
          headers,
          ...(body !== undefined && { body: body as BodyInit, duplex: 'half' }),
        } as RequestInit),
      ),
    async blob(repository, content) {
      const bytes = typeof content === 'string' ? encodeUtf8(content) : content
      const digest = await digestOf(bytes)
      const open = await client.send('POST', `/v2/${repository}/blobs/uploads/`)
      const response = await client.send(
        'PUT',
        `${open.headers.get('Location')}?digest=${digest}`,
        { body: bytes },
      )
      expect(response.status).toBe(201)
      return { digest, size: bytes.length }
    },
    async manifest(repository, reference, manifest, headers = {}) {
      const bytes = encodeUtf8(JSON.stringify(manifest))
      const digest = await digestOf(bytes)
      const mediaType = 'mediaType' in manifest ? String(manifest.mediaType) : OCI_MANIFEST
      const response = await client.send(
        'PUT',
        `/v2/${repository}/manifests/${reference ?? digest}`,
        {
          headers: { 'Content-Type': mediaType, ...headers },
          body: bytes,
        },
      )
      return { digest, response, bytes }
    },
    async image(repository, reference, more = {}) {
      const config = await client.blob(repository, '{}')
      const layer = await client.blob(repository, `layer of ${reference ?? 'nothing'}`)
      const { digest, response, bytes } = await client.manifest(repository, reference, {
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { mediaType: EMPTY_TYPE, ...config },
        layers: [{ mediaType: 'text/plain', ...layer }],
        ...more,
      })
      expect(response.status).toBe(201)
      return { digest, size: bytes.length, bytes, layer: layer.digest }
    },
  }
  return client
}

/** Code of the first error of a response, in the format of the specification. */
export async function codeOf(response: Response): Promise<string> {
  expect(response.headers.get('Content-Type')).toBe('application/json')
  const body = (await response.json()) as { errors: { code: string; message: string }[] }
  expect(body.errors.length).toBeGreaterThan(0)
  for (const error of body.errors) expect(error.message).toBeTypeOf('string')
  return body.errors[0]!.code
}

/** A stream of unknown length, like a streamed body of `fetch`. */
export function streamed(...chunks: readonly string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(encodeUtf8(chunk))
      controller.close()
    },
  })
}
