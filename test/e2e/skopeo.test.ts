import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createFileStorage } from '../../src/node/storage/file-storage.ts'
import { listen } from '../../src/node/listen/listen.ts'
import type { Listener } from '../../src/node/listen/listen.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createTokenService } from '../../src/serve/token-service.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../serve/registry/client.ts'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'

const present = hasSkopeo()
if (!present)
  console.warn('left out: skopeo is not on PATH, so nobody else copies in and out of the registry')

function hasSkopeo(): boolean {
  try {
    execFileSync('skopeo', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe.skipIf(!present)('skopeo', { timeout: 60_000 }, () => {
  let folder: string
  let server: Listener
  let host: string
  const run = (...args: string[]): Promise<{ stdout: string }> =>
    promisify(execFile)('skopeo', ['--insecure-policy', '--override-os', 'linux', ...args])

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spindle-skopeo-'))
    const tokens = createTokenService({
      authenticate: (name, password) => (name === 'ann' && password === 'pa:ss' ? name : undefined),
      permit: (user, { actions }) =>
        user !== undefined || actions.every((action) => action === 'pull'),
    })
    server = await listen(
      createRegistryHandler({ ...tokens, storage: createFileStorage(join(folder, 'registry')) }),
    )
    host = server.url.slice('http://'.length)
  })
  afterAll(async () => {
    await server.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** A two-layer image behind an index, pushed over HTTP as any client would. */
  async function pushImage(repository: string): Promise<string> {
    const answer = await fetch(`${server.url}/token?scope=repository:${repository}:pull,push`, {
      headers: { Authorization: `Basic ${btoa('ann:pa:ss')}` },
    })
    const headers = {
      Authorization: `Bearer ${((await answer.json()) as { token: string }).token}`,
    }
    const blob = async (bytes: Uint8Array): Promise<{ digest: string; size: number }> => {
      const digest = await digestOf(bytes)
      const response = await fetch(
        `${server.url}/v2/${repository}/blobs/uploads/?digest=${digest}`,
        { method: 'POST', headers, body: bytes as BodyInit },
      )
      expect(response.status).toBe(201)
      return { digest, size: bytes.length }
    }
    const manifest = async (
      reference: string,
      value: { mediaType: string },
    ): Promise<{ digest: string; size: number }> => {
      const bytes = encodeUtf8(JSON.stringify(value))
      const digest = await digestOf(bytes)
      const response = await fetch(
        `${server.url}/v2/${repository}/manifests/${reference || digest}`,
        { method: 'PUT', headers: { ...headers, 'Content-Type': value.mediaType }, body: bytes },
      )
      expect(response.status).toBe(201)
      return { digest, size: bytes.length }
    }
    const plain = [new Uint8Array(1024), randomBytes(3 * 1024 * 1024)]
    const layers = plain.map((bytes) => new Uint8Array(gzipSync(bytes)))
    const diffs = await Promise.all(plain.map((bytes) => digestOf(bytes)))
    const config = encodeUtf8(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        config: {},
        rootfs: { type: 'layers', diff_ids: diffs },
      }),
    )
    const image = await manifest('', {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...(await blob(config)) },
      layers: await Promise.all(
        layers.map(async (layer) => ({
          mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
          ...(await blob(layer)),
        })),
      ),
    } as { mediaType: string })
    const index = {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [
        { mediaType: OCI_MANIFEST, ...image, platform: { architecture: 'amd64', os: 'linux' } },
      ],
    }
    return (await manifest('v1', index)).digest
  }

  it('copies out of the registry and in again, with tokens, to the same digest', async () => {
    const digest = await pushImage('team/app')
    const layout = join(folder, 'layout')
    await run(
      'copy',
      '--all',
      '--src-tls-verify=false',
      `docker://${host}/team/app:v1`,
      `oci:${layout}:v1`,
    )
    const { manifests } = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as {
      manifests: { digest: string }[]
    }
    expect(manifests.map((entry) => entry.digest)).toEqual([digest])
    await run(
      'copy',
      '--all',
      '--dest-tls-verify=false',
      '--dest-creds',
      'ann:pa:ss',
      `oci:${layout}:v1`,
      `docker://${host}/other/name:v2`,
    )
    const response = await fetch(`${server.url}/v2/other/name/manifests/v2`, {
      headers: { Authorization: `Bearer ${await anonymous('other/name')}` },
    })
    expect(response.headers.get('Docker-Content-Digest')).toBe(digest)
  })

  it('copies between repositories, inspects and lists tags', async () => {
    await pushImage('team/source')
    await run(
      'copy',
      '--all',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      '--dest-creds',
      'ann:pa:ss',
      `docker://${host}/team/source:v1`,
      `docker://${host}/team/target:v9`,
    )
    const inspected = JSON.parse(
      (await run('inspect', '--tls-verify=false', `docker://${host}/team/target:v9`)).stdout,
    ) as { Layers: string[]; RepoTags: string[] }
    expect([inspected.Layers.length, inspected.RepoTags]).toEqual([2, ['v9']])
    expect(
      JSON.parse(
        (await run('list-tags', '--tls-verify=false', `docker://${host}/team/target`)).stdout,
      ),
    ).toMatchObject({ Tags: ['v9'] })
  })

  it('is refused without credentials', async () => {
    await expect(
      run(
        'copy',
        '--src-tls-verify=false',
        '--dest-tls-verify=false',
        `docker://${host}/team/app:v1`,
        `docker://${host}/team/no:v1`,
      ),
    ).rejects.toThrow(/unauthorized|denied|authentication/i)
  })

  it('deletes', async () => {
    await pushImage('team/gone')
    await run(
      'delete',
      '--tls-verify=false',
      '--creds',
      'ann:pa:ss',
      `docker://${host}/team/gone:v1`,
    )
    await expect(
      run('inspect', '--tls-verify=false', `docker://${host}/team/gone:v1`),
    ).rejects.toThrow(/unknown/i)
  })

  async function anonymous(repository: string): Promise<string> {
    const answer = await fetch(`${server.url}/token?scope=repository:${repository}:pull`)
    return ((await answer.json()) as { token: string }).token
  }
})
