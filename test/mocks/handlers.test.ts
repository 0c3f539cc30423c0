import { setupServer } from 'msw/node'
import { afterEach, describe, expect, it } from 'vitest'
import { registryHandlers } from '../../mocks/handlers.ts'
import { digestOf } from '../../src/bytes/digest.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createTokenService } from '../../src/serve/token-service.ts'

const server = setupServer()
afterEach(() => server.close())

describe('registry handlers for msw', () => {
  it('let the global fetch push and pull without a network', async () => {
    server.listen({ onUnhandledRequest: 'error' })
    server.use(...registryHandlers('https://registry.test'))
    const bytes = new Uint8Array(400_000).fill(3)
    const digest = await digestOf(bytes)
    const open = await fetch('https://registry.test/v2/a/blobs/uploads/', { method: 'POST' })
    const location = new URL(open.headers.get('Location')!, open.url || 'https://registry.test')
    location.searchParams.set('digest', digest)
    expect(
      (
        await fetch(location, {
          method: 'PUT',
          body: new Blob([bytes]).stream(),
          duplex: 'half',
        } as RequestInit)
      ).status,
    ).toBe(201)
    const response = await fetch(`https://registry.test/v2/a/blobs/${digest}`)
    expect(await digestOf(new Uint8Array(await response.arrayBuffer()))).toBe(digest)
    expect(
      (await fetch(`https://registry.test/v2/a/blobs/${digest}`, { method: 'HEAD' })).headers.get(
        'Content-Length',
      ),
    ).toBe('400000')
  })

  it('answer for any fetch handler, its token endpoint included', async () => {
    server.listen({ onUnhandledRequest: 'error' })
    const registry = createRegistryHandler(
      createTokenService({ authenticate: () => undefined, permit: () => true }),
    )
    server.use(
      ...registryHandlers('https://registry.test', { registry }),
      ...registryHandlers('https://other.test'),
    )
    expect((await fetch('https://registry.test/v2/')).status).toBe(401)
    const { token } = (await (await fetch('https://registry.test/token')).json()) as {
      token: string
    }
    expect(
      (await fetch('https://registry.test/v2/', { headers: { Authorization: `Bearer ${token}` } }))
        .status,
    ).toBe(200)
    expect((await fetch('https://other.test/v2/')).status).toBe(200)
  })

  it('take an origin, not a path', () => {
    for (const wrong of ['registry.test', 'https://registry.test/', 'https://registry.test/v2'])
      expect(() => registryHandlers(wrong)).toThrow(TypeError)
  })
})
