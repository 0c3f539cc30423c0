import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import * as tls from 'node:tls'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { beforeAll, describe, expect, it } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { address, type Authority, createAuthority, serveAs } from './tls-servers.ts'

async function read(url: URL, fetch: typeof globalThis.fetch | ReturnType<typeof createNodeFetch>) {
  return (await fetch(new Request(url))).text()
}

let ours: Authority
let other: Authority
beforeAll(async () => {
  ours = await createAuthority('Ours')
  other = await createAuthority('Other')
})

describe('a server with a certificate of an authority of one’s own', () => {
  it('is not trusted as such, and told what to do', async () => {
    const url = await serveAs(ours)
    await expect(read(url, createNodeFetch())).rejects.toMatchObject({
      name: 'TypeError',
      cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    })
    const transport = createTransport({ fetch: createNodeFetch(), retry: false })
    await expect(transport.fetch({ url })).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      message: expect.stringMatching(
        /\(UNABLE_TO_VERIFY_LEAF_SIGNATURE\); its certificate is not trusted.*NODE_EXTRA_CA_CERTS.*"ca"/,
      ),
    })
  })

  it('is trusted where that is given, alone or among others', async () => {
    const url = await serveAs(ours)
    expect(await read(url, createNodeFetch({ ca: ours.pem }))).toBe('hello')
    expect(await read(url, createNodeFetch({ ca: [other.pem, ours.pem] }))).toBe('hello')
    expect(await read(url, createNodeFetch({ ca: `# both\n${other.pem}${ours.pem}` }))).toBe(
      'hello',
    )
  })

  it('is refused where another is given, whatever that calls itself', async () => {
    const url = await serveAs(ours)
    const namesake = await createAuthority('Ours')
    await expect(read(url, createNodeFetch({ ca: other.pem }))).rejects.toMatchObject({
      cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    })
    await expect(read(url, createNodeFetch({ ca: namesake.pem }))).rejects.toMatchObject({
      cause: { code: expect.stringMatching(/SIGNATURE/) },
    })
  })

  it('is refused for another address, and when its time is over', async () => {
    const fetch = createNodeFetch({ ca: ours.pem })
    const elsewhere = await serveAs(ours, { address: address(10, 0, 0, 1) })
    await expect(read(elsewhere, fetch)).rejects.toMatchObject({
      cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    })
    await expect(
      read(await serveAs(ours, { age: 3 * 60 * 60 * 1000 }), fetch),
    ).rejects.toMatchObject({
      cause: { code: 'CERT_HAS_EXPIRED' },
    })
  })

  it('is trusted by a process that has it in NODE_EXTRA_CA_CERTS; with "ca" too where Node tells them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'spindle-tls-'))
    try {
      const [program, pem] = [join(folder, 'program.mjs'), join(folder, 'ca.pem')]
      await writeFile(pem, ours.pem)
      await build({
        stdin: {
          contents: `import { createNodeFetch } from './src/node/fetch/fetch.ts'
            const [url, ca] = process.argv.slice(2)
            const answer = await createNodeFetch({ ca })(new Request(url))
            console.log(await answer.text())`,
          resolveDir: fileURLToPath(new URL('../..', import.meta.url)),
        },
        outfile: program,
        bundle: true,
        format: 'esm',
        platform: 'node',
      })
      const { href } = await serveAs(ours)
      const run = async (NODE_EXTRA_CA_CERTS: string, ...ca: string[]): Promise<string> => {
        const env = { ...process.env, NODE_EXTRA_CA_CERTS }
        const ran = promisify(execFile)(process.execPath, [program, href, ...ca], { env })
        const { stdout, stderr } = await ran.catch(
          (error: { stdout: string; stderr: string }) => error,
        )
        return /hello|UNABLE_TO_VERIFY_LEAF_SIGNATURE/.exec(stdout + stderr)?.[0] ?? stderr
      }
      const refused = 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
      expect([await run(pem), await run('')]).toEqual(['hello', refused])
      expect(await run(pem, other.pem)).toBe('getCACertificates' in tls ? 'hello' : refused)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('what is no certificate', () => {
  for (const [what, ca] of [
    ['a path', '/etc/ssl/our-ca.pem'],
    ['nothing', ''],
    ['a list of nothing', []],
    ['a damaged one', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'],
  ] as const)
    it(`is refused, not passed over: ${what}`, () => {
      expect(() => createNodeFetch({ ca })).toThrow(/^"ca" /)
    })
})
