import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readDirectory } from '../../src/node/files/directory.ts'
import { openLayoutDirectory } from '../../src/node/files/layout-directory.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import type { RemoteOptions } from '../../src/types.ts'
import { pull } from '../../src/verbs/pull.ts'
import { push } from '../../src/verbs/push.ts'
import { missingRegistry, type RegistryProcess, startRegistry } from './docker-registry-process.ts'

const isMissing = (program: string, ...args: string[]): boolean => {
  try {
    execFileSync(program, args, { stdio: 'ignore' })
    return false
  } catch {
    return true
  }
}
const leftOut = [
  ...(missingRegistry === undefined ? [] : [missingRegistry]),
  ...(isMissing('skopeo', '--version') ? ['skopeo is missing'] : []),
  ...(isMissing('htpasswd', '-nbB', 'a', 'b') ? ['htpasswd is missing'] : []),
]
if (leftOut.length > 0)
  console.log(`left out: applications between skopeo and docker-registry, ${leftOut.join(', ')}`)

const HELLO = fileURLToPath(new URL('../../examples/hello', import.meta.url))

describe.skipIf(leftOut.length > 0).each([
  { name: 'docker-registry', login: undefined },
  { name: 'docker-registry with htpasswd', login: { username: 'user', password: 'secret' } },
])('an application in $name', ({ login }) => {
  let registry: RegistryProcess
  let folder: string
  const remote = (): RemoteOptions => (login === undefined ? {} : { credentials: login })
  const skopeo = (...args: string[]): string =>
    execFileSync('skopeo', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  const creds = (side: string): string[] =>
    login === undefined ? [] : [`--${side}creds`, `${login.username}:${login.password}`]

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spindle-skopeo-'))
    const htpasswd =
      login === undefined
        ? {}
        : {
            htpasswd: execFileSync('htpasswd', ['-Bbn', login.username, login.password], {
              encoding: 'utf8',
            }),
          }
    registry = await startRegistry(htpasswd)
  })
  afterAll(async () => {
    await registry?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it('is read and copied by skopeo, and comes back from its copies with the same digest and bytes', async () => {
    const app = await loadApp(await readDirectory(HELLO))
    const at = `${registry.host}/team/hello:1`
    const { descriptor } = await push(app, at, remote())

    const raw = skopeo('inspect', '--raw', '--tls-verify=false', ...creds(''), `docker://${at}`)
    expect(JSON.parse(raw)).toMatchObject({
      annotations: { 'org.opencontainers.image.title': 'hello' },
    })
    const layout = join(folder, 'layout')
    skopeo(
      'copy',
      '--insecure-policy',
      '--src-tls-verify=false',
      ...creds('src-'),
      `docker://${at}`,
      `oci:${layout}:1`,
    )
    const back = `${registry.host}/team/again:1`
    skopeo(
      'copy',
      '--insecure-policy',
      '--dest-tls-verify=false',
      ...creds('dest-'),
      `oci:${layout}:1`,
      `docker://${back}`,
    )

    for (const pulled of [
      await pull(back, remote()),
      await pull({ store: await openLayoutDirectory(layout), ref: '1' }),
    ]) {
      expect(pulled.descriptor.digest).toBe(descriptor.digest)
      const files = await pulled.files('hello')
      for (const [path, content] of app.components[0]!.fileTree) {
        const expected =
          content instanceof Uint8Array
            ? content
            : new Uint8Array(await new Response(content.stream()).arrayBuffer())
        expect(files.get(path), path).toEqual(expected)
      }
    }
  })
})
