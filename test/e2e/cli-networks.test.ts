import { execFile } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request, type RequestListener } from 'node:http'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { hello } from '../cli/hello.ts'
import { buildProgram } from '../cli/built-program.ts'
import { startProxy } from '../node/proxy-servers.ts'
import { address, type Authority, createAuthority, dnsName, listenAs } from '../node/tls-servers.ts'
import { missingRegistry, type RegistryProcess, startRegistry } from './docker-registry-process.ts'

if (missingRegistry !== undefined) console.log(`left out: ${missingRegistry}`)

/** As nginx terminates TLS in front of a registry: it says by which scheme it was reached. */
function terminate(host: string): RequestListener {
  const { hostname, port } = new URL(`http://${host}`)
  return (incoming, answer) => {
    const sent = request(
      {
        host: hostname,
        port,
        method: incoming.method,
        path: incoming.url,
        headers: { ...incoming.headers, 'x-forwarded-proto': 'https' },
      },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers)
        response.pipe(answer)
      },
    )
    sent.on('error', () => answer.destroy())
    incoming.pipe(sent)
  }
}

describe.skipIf(missingRegistry !== undefined)(
  'the command and docker-registry on the networks that people have',
  { timeout: 60_000 },
  () => {
    let folder: string
    let program: string
    let authority: Authority
    beforeAll(async () => {
      const built = await buildProgram()
      folder = built.folder
      program = built.main
      authority = await createAuthority('our authority')
      writeFileSync(join(folder, 'ca.pem'), authority.pem)
    })
    const stops: (() => Promise<void>)[] = []
    afterEach(async () => {
      for (const stop of stops.splice(0)) await stop()
    })
    const started = (registry: RegistryProcess): RegistryProcess => {
      stops.push(() => registry.stop())
      return registry
    }

    async function run(env: Record<string, string>, ...args: string[]): Promise<string> {
      const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], {
        env: {
          PATH: process.env['PATH'],
          HOME: folder,
          NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
          ...env,
        },
      })
      return stdout
    }

    /** Pushes, pulls into a folder, and compares. */
    async function pushAndPull(reference: string, env: Record<string, string> = {}): Promise<void> {
      expect(await run(env, 'registry', 'push', '-f', hello, reference)).toMatch(
        /Pushed with digest sha256:/,
      )
      const out = join(folder, 'out')
      rmSync(out, { recursive: true, force: true })
      await run(env, 'registry', 'pull', '--cache-dir', join(folder, 'none'), reference, '-o', out)
      rmSync(join(folder, 'none'), { recursive: true })
      expect(readFileSync(join(out, 'assets/hello/static/robots.txt'))).toEqual(
        readFileSync(join(hello, 'static/robots.txt')),
      )
    }

    it('without TLS on loopback', async () => {
      const registry = started(await startRegistry())
      await pushAndPull(`${registry.host}/team/hello:1`)
    })

    it('behind a proxy that terminates TLS', async () => {
      const registry = started(await startRegistry())
      const handle = terminate(registry.host)
      const { url } = await listenAs(authority, { address: address(127, 0, 0, 1), handle })
      await pushAndPull(`${url.host}/team/hello:1`)
    })

    it('behind an HTTP proxy that asks for a login, and one that terminates TLS', async () => {
      const registry = started(await startRegistry())
      const handle = terminate(registry.host)
      const name = 'registry.corp.example'
      const { url } = await listenAs(authority, { address: dnsName(name), handle })
      const proxy = await startProxy({ port: Number(url.port), login: 'ann:s3cret' })
      const env = { HTTPS_PROXY: proxy.url.replace('//', '//ann:s3cret@') }
      await pushAndPull(`${name}/team/hello:1`, env)
      expect(new Set(proxy.seen)).toEqual(new Set([`CONNECT ${name}:443`]))
    })
  },
)
