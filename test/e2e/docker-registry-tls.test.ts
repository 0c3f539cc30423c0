import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildProgram } from '../cli/built-program.ts'
import { address, createAuthority, issueIdentity } from '../node/tls-servers.ts'
import { missingRegistry, type RegistryProcess, startRegistry } from './docker-registry-process.ts'

const run = promisify(execFile)

// The command in a process of its own: Node reads NODE_EXTRA_CA_CERTS when it starts.
describe.skipIf(missingRegistry !== undefined)('docker-registry with TLS on loopback', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spindle-tls-'))
  let registry: RegistryProcess
  let program: string
  beforeAll(async () => {
    const authority = await createAuthority('Ours')
    const { key, cert } = await issueIdentity(authority, address(127, 0, 0, 1))
    for (const [name, text] of [
      ['ca.pem', authority.pem],
      ['key.pem', key],
      ['cert.pem', cert],
      [
        'spin.toml',
        'spin_manifest_version = 2\n[application]\nname = "hello"\n[[trigger.http]]\nroute = "/..."\ncomponent = "hello"\n[component.hello]\nsource = "app.wasm"\n',
      ],
      ['app.wasm', Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0)],
    ] as const)
      writeFileSync(join(folder, name), text)
    const tls = `  tls: {certificate: '${join(folder, 'cert.pem')}', key: '${join(folder, 'key.pem')}'}`
    registry = await startRegistry({ http: `http:\n${tls}` })
    program = (await buildProgram()).main
  }, 60_000)
  afterAll(async () => {
    await registry?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const spindle = (ca: string, ...args: string[]) =>
    run(process.execPath, [program, 'registry', ...args], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, NODE_EXTRA_CA_CERTS: join(folder, ca) },
    })

  it('is pushed to and pulled from, with and without https:// before its name', async () => {
    for (const scheme of ['', 'https://']) {
      const reference = `${scheme}${registry.host}/team/hello:1`
      await spindle('ca.pem', 'push', '-f', 'spin.toml', reference)
      await spindle('ca.pem', 'pull', reference, '-o', join(folder, `out-${scheme.length}`))
    }
  }, 60_000)

  it('is refused by its certificate where that is not trusted', async () => {
    const refused = spindle('none.pem', 'tags', `${registry.host}/team/hello`)
    await expect(refused).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('its certificate is not trusted'),
    })
  }, 60_000)
})
