import type { FetchHandler } from '../../src/types.ts'

export const SCHEMA_1_TYPE = 'application/vnd.docker.distribution.manifest.v1+prettyjws'

/**
 * A repository whose tag still has an image of schema 1, as docker-registry before 3.0 and
 * Artifactory serve them whatever the client accepts. What is pushed replaces it.
 * @see https://distribution.github.io/distribution/spec/deprecated-schema-v1/
 */
export function createSchema1Persona(
  registry: FetchHandler,
  options: { readonly tag: string; readonly type?: string },
): FetchHandler {
  const body = JSON.stringify({
    schemaVersion: 1,
    name: 'team/hello',
    tag: options.tag,
    architecture: 'amd64',
    fsLayers: [{ blobSum: `sha256:${'a'.repeat(64)}` }],
    history: [{ v1Compatibility: '{}' }],
    signatures: [{ header: { alg: 'ES256' }, signature: 'x', protected: 'y' }],
  })
  let isReplaced = false
  return {
    async fetch(request) {
      const isTag = new URL(request.url).pathname.endsWith(`/manifests/${options.tag}`)
      if (isTag && request.method === 'PUT') isReplaced = true
      if (!isTag || isReplaced) return registry.fetch(request)
      const headers = {
        'content-type': options.type ?? SCHEMA_1_TYPE,
        'content-length': String(body.length),
      }
      return new Response(request.method === 'HEAD' ? null : body, { headers })
    },
  }
}
