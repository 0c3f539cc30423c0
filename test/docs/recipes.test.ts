import { release } from 'virtual:recipes/release.ts'
import { expect, it } from 'vitest'
import { fileURLToPath } from 'node:url'
import { listen } from '../../src/node/listen/listen.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import {
  formatPrivateKey,
  formatPublicKey,
  generateKeyPair,
} from '../../src/trust/keys/private-key.ts'

it('the recipe for a script pushes, signs, verifies and gives the digest', async () => {
  const server = await listen(createRegistryHandler())
  try {
    const { privateKey, publicKey } = await generateKeyPair()
    const digest = await release({
      folder: fileURLToPath(new URL('../../examples/hello', import.meta.url)),
      reference: `${new URL(server.url).host}/team/hello:1.0.0`,
      privateKey: await formatPrivateKey(privateKey),
      publicKey: await formatPublicKey(publicKey),
    })
    const manifest = await fetch(`${server.url}/v2/team/hello/manifests/1.0.0`)
    expect(digest).toBe(manifest.headers.get('docker-content-digest'))
  } finally {
    await server.close()
  }
})
