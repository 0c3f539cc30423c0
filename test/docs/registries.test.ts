import { describe, expect, it } from 'vitest'
import { createAcrPersona } from '../../mocks/personas/acr.ts'
import { createDockerHubPersona } from '../../mocks/personas/docker-hub.ts'
import { createEcrPersona } from '../../mocks/personas/ecr.ts'
import { createGarPersona } from '../../mocks/personas/gar.ts'
import { createGhcrPersona } from '../../mocks/personas/ghcr.ts'
import { createMediaTypeListPersona } from '../../mocks/personas/media-type-list.ts'
import { createTokenAuthPersona } from '../../mocks/personas/token-auth.ts'
import { exchangeAzureToken } from '../../src/registry/azure-exchange.ts'
import { createTransport } from '../../src/http/transport.ts'
import { apiHostOf } from '../../src/oci/reference.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import type { CredentialSource, FetchHandler } from '../../src/types.ts'
import { blobOf, collect, manifestOf, pushArtifact } from '../registry/artifacts.ts'
import { readDocument } from './blocks.ts'
import { tableBelow } from './table.ts'

const user = { username: 'user', password: 'pa:ss' }

// The list that an administrator has to keep for what this test pushes.
const LISTED = ['application/vnd.oci.empty.v1+json', 'text/plain']

interface Persona {
  /** What is done before the first request, beside the login that registries ask for themselves. */
  readonly exchanged?: string
  readonly handler: FetchHandler
  readonly credentials?: CredentialSource
  readonly host?: string
}

/** A registry that sends to a token service, under what else the hosted one does. */
const withTokens = (): FetchHandler => createTokenAuthPersona(createRegistryHandler(), user)

/** By their names in the README's table. */
const personas: Readonly<Record<string, () => Promise<Persona>>> = {
  'Docker Hub': async () => ({
    handler: createDockerHubPersona(createRegistryHandler(), { ...user, pulls: 100 }),
    credentials: user,
    host: 'docker.io',
  }),
  'GitHub (GHCR)': async () => ({ handler: createGhcrPersona(withTokens()), credentials: user }),
  'AWS (ECR)': async () => ({
    handler: createEcrPersona(createRegistryHandler(), 'twelve hours'),
    credentials: { username: 'AWS', password: 'twelve hours' },
  }),
  'Azure (ACR)': async () => {
    const handler = createAcrPersona(createRegistryHandler(), 'entra')
    const credentials = await exchangeAzureToken('registry.test', 'entra', handler)
    return { handler, credentials, exchanged: 'exchanged Entra token' }
  },
  'Google (GAR)': async () => ({ handler: createGarPersona(withTokens()), credentials: user }),
  'GitLab, Quay (lists of media types)': async () => ({
    handler: createMediaTypeListPersona(withTokens(), LISTED),
    credentials: user,
  }),
}

/** What the table says of a registry, by having it done. */
async function observe({ handler, credentials, exchanged, host = 'registry.test' }: Persona) {
  const seen: string[] = []
  const transport = createTransport({
    retry: { delay: () => 1 },
    ...(credentials === undefined ? {} : { credentials }),
    fetch: async (request) => {
      const { method } = request
      const { pathname } = new URL(request.url)
      const [scheme] = (request.headers.get('authorization') ?? '').split(' ')
      if (pathname.startsWith('/v2/') && scheme) logins.add(scheme)
      const response = await handler.fetch(request)
      seen.push(`${method} ${response.status} ${pathname}`)
      return response
    },
  })
  const logins = new Set<string>()
  const saw = (pattern: RegExp): boolean => seen.some((line) => pattern.test(line))
  const from = createRepository(`${host}/team/from`, { transport })
  const { manifest, layer } = await pushArtifact(from, 'content', 'v1')
  await collect(await from.fetch(layer.descriptor))

  const to = createRepository(`${host}/team/to`, { transport })
  const mounted = await to.mount(layer.descriptor, 'team/from')

  const signature = await manifestOf([layer.descriptor], { subject: manifest.descriptor })
  await from.push(signature.descriptor, signature.bytes)
  expect(await collect(from.referrers(manifest.descriptor))).toHaveLength(1)
  const byTag = saw(/^PUT 201 .*\/manifests\/sha256-/)

  const large = await blobOf(new Uint8Array(6_000_000))
  const chunked = createRepository(`${host}/team/from`, { transport, chunkSize: 5_000_000 })
  await chunked.push(large.descriptor, large.bytes)
  expect(await chunked.has(large.descriptor)).toBe(true)
  const chunks = saw(/^PATCH 202/) ? '◐' : saw(/^PATCH/) ? '◐ refused, then whole' : '– whole'
  expect(logins.size).toBe(1)
  // As a browser asks before a page may upload.
  const preflight = await handler.fetch(
    new Request(`https://${apiHostOf(host)}/v2/team/from/blobs/uploads/`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
    }),
  )
  return {
    'push, pull': '◐',
    login: `◐ ${exchanged ?? (logins.has('Bearer') ? 'token' : 'Basic')}`,
    'from a page (CORS)': preflight.headers.has('access-control-allow-origin') ? '◐' : '–',
    mount: mounted ? '◐' : '– sent anew',
    referrers: byTag ? '◐ by tag' : '◐ API',
    chunks,
  }
}

describe("the README's table of registries", () => {
  const { rows } = tableBelow(readDocument('README.md'), '### Registries')
  it.each(Object.keys(personas))('says of %s what its persona does', async (name) => {
    const row = rows.find(({ registry }) => registry === name)
    expect(row).toMatchObject(await observe(await personas[name]!()))
  })

  it('has a row for each hosted registry that has a persona', () => {
    const hosted = rows.filter((row) => row['how we know']?.includes('](mocks/personas/'))
    expect(hosted.map(({ registry }) => registry)).toEqual(Object.keys(personas))
  })
})
