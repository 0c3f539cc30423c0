import { createServer, type Server } from 'node:https'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll } from 'vitest'
import {
  basicConstraints,
  createKeyPair,
  type Extension,
  formatTbs,
  keyUsage,
  type KeyPair,
  signCertificate,
} from '../../mocks/sigstore/certificates.ts'
import { formatPem } from '../../src/bytes/pem.ts'

const HOUR = 60 * 60 * 1000

export interface Authority {
  readonly name: string
  readonly key: KeyPair
  readonly pem: string
}

async function issue(
  subject: string,
  key: KeyPair,
  issuer: { name: string; key: KeyPair },
  extensions: readonly Extension[],
  { age = HOUR } = {},
): Promise<string> {
  const notBefore = new Date(Date.now() - age)
  const notAfter = new Date(notBefore.getTime() + 2 * HOUR)
  const { spki } = key
  const tbs = formatTbs({ subject, issuer: issuer.name, spki, notBefore, notAfter, extensions })
  return formatPem('CERTIFICATE', await signCertificate(tbs, issuer.key))
}

export async function createAuthority(name: string): Promise<Authority> {
  const key = await createKeyPair()
  const extensions = [basicConstraints(true), keyUsage('keyCertSign')]
  return { name, key, pem: await issue(name, key, { name, key }, extensions) }
}

/** A subject alternative name that is an IP address, in DER. */
export const address = (...bytes: number[]): Extension => ({
  id: '2.5.29.17',
  value: Uint8Array.of(0x30, bytes.length + 2, 0x87, bytes.length, ...bytes),
})

/** The same for a DNS name. */
export const dnsName = (name: string): Extension => ({
  id: '2.5.29.17',
  value: Uint8Array.of(0x30, name.length + 2, 0x82, name.length, ...new TextEncoder().encode(name)),
})

const servers: Server[] = []
afterAll(() => {
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
})

/** A server that says who it is with a certificate of an authority's. */
export async function serveAs(
  authority: Authority,
  {
    address: at = address(127, 0, 0, 1),
    age = HOUR,
    handle = (_, response) => void response.end('hello'),
  }: { address?: Extension; age?: number; handle?: RequestListener } = {},
): Promise<URL> {
  return (await listenAs(authority, { address: at, age, handle })).url
}

/** A server's key and certificate, in PEM. */
export async function issueIdentity(
  authority: Authority,
  at: Extension,
  age: number = HOUR,
): Promise<{ readonly key: string; readonly cert: string }> {
  const key = await createKeyPair()
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey('pkcs8', key.privateKey))
  const extensions = [basicConstraints(false), keyUsage('digitalSignature'), at]
  return {
    key: formatPem('PRIVATE KEY', pkcs8),
    cert: await issue('registry', key, authority, extensions, { age }),
  }
}

/** The same with its server, for more than requests. */
export async function listenAs(
  authority: Authority,
  {
    address: at,
    age = HOUR,
    handle,
  }: { address: Extension; age?: number; handle: RequestListener },
): Promise<{ readonly url: URL; readonly server: Server }> {
  const server = createServer(await issueIdentity(authority, at, age), handle)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  return { url, server }
}
