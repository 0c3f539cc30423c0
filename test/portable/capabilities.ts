import { createSigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { createBindleClient } from '../../src/bindle/client.ts'
import {
  exportPublicKey,
  generateSecretKey,
  openSecretKey,
  type Keyring,
} from '../../src/bindle/keyring.ts'
import { signInvoice, verifyInvoice } from '../../src/bindle/signature.ts'
import { formatBase64Url, parseBase64 } from '../../src/bytes/base64.ts'
import { createRelayFetch } from '../../src/http/relay-fetch.ts'
import { createAppHandler, createIndexedDbKeyValue, splitComponent } from '../../src/run/index.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { lockApp } from '../../src/spin/source/lock-app.ts'
import { packApp } from '../../src/spin/artifact/pack.ts'
import { unpackApp } from '../../src/spin/artifact/unpack.ts'
import { readLayoutTar } from '../../src/store/layout-tar.ts'
import { importCosignKey } from '../../src/trust/keys/cosign-key.ts'
import { createKeylessSigner } from '../../src/trust/keyless/keyless.ts'
import {
  generateKeyPair,
  type PrivateJwk,
  type WebKeyPair,
} from '../../src/trust/keys/private-key.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'
import { copy } from '../../src/verbs/copy.ts'
import { pull } from '../../src/verbs/pull.ts'
import { pullBindle } from '../../src/verbs/pull-bindle.ts'
import { push, type PushOptions } from '../../src/verbs/push.ts'
import { pushBindle } from '../../src/verbs/push-bindle.ts'
import { resolve } from '../../src/verbs/resolve.ts'
import { sign } from '../../src/verbs/sign.ts'
import { verify } from '../../src/verbs/verify.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { HELLO } from '../guests/hello-base64.ts'
import { helloAround } from '../run/hello-app.ts'

/** With the smaller of cosign's work factors: the larger takes a busy Worker seconds. */
const COSIGN_KEY = `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjozMjc2OCwiciI6
OCwicCI6MX0sInNhbHQiOiIyUzVxTk9pRUQyZURycEFqM2ZHYzFoZWZnaE5DaEY0
OW5EN0Z3WjMyc2hBPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiI5VzZ6cDFaUlVMaTVnQzcvQ2ZLYzArRkQxWTR1dk5FRiJ9LCJj
aXBoZXJ0ZXh0Ijoic1ZxbmdNUmEyeENRUElZT3VGcUJZajRZOFVyUmxJNjVMcTF3
S3F5bGd5N2xvUE5wdTBWOWlrZkZ6b29hMllTT0duWXVtcEZwYllodnA1REUxZXE4
NmxlT2ZFL3JSYXpxRnFVR1M5dndOZjZPMmxONDFsT3RQNm5WSzdNYi9LcDJaclpD
eU1xdjRvMW1TN3Z3S3paclZ4ZWJ2SEVxeXl2dGFveWYvZ043cXdaUmFFdFhNWHRv
YTh5L2cwRjh2TnQxbkxvRDlSVTVCSmRKZnc9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
`

/** Columns of the README's table of runtimes. */
export type Runtime =
  'Node 20, 22' | 'Node 24, 26' | 'Bun' | 'Deno' | 'Chromium' | 'Firefox' | 'WebKit' | 'workerd'

export interface Capability {
  /** As in the README's table. */
  readonly name: string
  /** Does it once, with every part that it takes. */
  readonly prove: () => Promise<unknown>
  /** Where it can't be had, and what it is refused with there. Nowhere else. */
  readonly refused?: Partial<Record<Runtime, ErrorCode>>
}

const files = {
  'spin.toml': `spin_manifest_version = 2
[application]
name = "hello"
version = "1.0.0"
[[trigger.http]]
route = "/..."
component = "hello"
[component.hello]
source = "hello.wasm"
files = ["robots.txt"]
`,
  'hello.wasm': parseBase64(HELLO) as Uint8Array<ArrayBuffer>,
  'robots.txt': 'User-agent: *\n'.repeat(20),
}
const ref = 'registry.test/team/hello:1'

async function pushed(options: PushOptions = {}) {
  const { fetch } = createRegistryHandler()
  const result = await push(await loadApp(files), ref, { fetch, ...options })
  return { fetch, ...result }
}

async function signAndVerify(key: WebKeyPair | PrivateJwk): Promise<void> {
  const { fetch } = await pushed()
  const signer = await createKeySigner(key)
  await sign(ref, signer, { fetch, attach: 'both' })
  await verify(ref, { key: signer.publicKey, requireTransparencyLog: false }, { fetch })
}

async function ask(handler: { fetch(request: Request): Promise<Response> }): Promise<void> {
  const response = await handler.fetch(new Request('http://app.test/hello/you'))
  if (!(await response.text()).includes('you!')) throw new Error(`it answered ${response.status}`)
}

export const capabilities: readonly Capability[] = [
  {
    name: 'load, lock, pack, unpack, OCI archives',
    prove: async () => {
      const packed = await packApp(await lockApp(await loadApp(files)))
      const layout = await readLayoutTar()
      await copy(
        { store: packed.store, ref: packed.descriptor.digest },
        { store: layout, ref: '1' },
      )
      await (await unpackApp(await layout.resolve('1'), layout)).files('hello')
    },
  },
  {
    name: 'push, pull, copy, resolve',
    prove: async () => {
      const { fetch } = await pushed()
      await copy(ref, 'registry.test/team/copy:1', { fetch })
      await (await pull('registry.test/team/copy:1', { fetch })).component('hello')
      await resolve(ref, { fetch })
    },
  },
  { name: 'push in chunks', prove: () => pushed({ chunkSize: 1000 }) },
  {
    name: 'sign and verify with ECDSA keys',
    prove: async () => signAndVerify(await generateKeyPair()),
  },
  {
    name: 'sign and verify with Ed25519 keys',
    prove: async () =>
      signAndVerify({
        kty: 'OKP',
        crv: 'Ed25519',
        d: formatBase64Url(crypto.getRandomValues(new Uint8Array(32))),
      }),
  },
  {
    name: '`cosign.key` files',
    prove: () => importCosignKey(COSIGN_KEY, 'password'),
  },
  {
    name: 'sign and verify keyless',
    prove: async () => {
      const { fetch } = await pushed()
      const sigstore = await createSigstoreInstance()
      const trustedRoot = sigstore.trustedRoot()
      const signer = createKeylessSigner({
        fetch: sigstore.fetch,
        services: sigstore.services,
        trustedRoot,
        identityToken: () => sigstore.issueToken(),
      })
      await sign(ref, signer, { fetch })
      await verify(ref, { identity: /.*/, issuer: /.*/, trustedRoot }, { fetch })
    },
  },
  {
    name: 'Bindle: push, pull, signatures',
    prove: async () => {
      const client = createBindleClient('https://bindle.test/v1', createBindleHandler())
      const invoice = await pushBindle(await loadApp(files), client)
      await (await pullBindle({ client, id: 'hello/1.0.0' })).component('hello')
      const entry = await generateSecretKey('Ada <ada@example.com>', ['creator'])
      const key = await openSecretKey(entry)
      const signed = await signInvoice(invoice, key, { role: 'creator', by: entry.label })
      const keyring: Keyring = { version: '1.0', key: [await exportPublicKey(entry)] }
      await verifyInvoice(signed, keyring)
    },
  },
  {
    name: 'serve a registry, a Bindle server, a relay',
    prove: async () => {
      const { fetch } = await pushed()
      const relay = createRelayHandler({ registries: ['registry.test'], origins: [], fetch })
      await pull(ref, { fetch: createRelayFetch('https://relay.test/relay', relay) })
    },
  },
  {
    name: 'run components and modules from their bytes',
    prove: async () => ask(await createAppHandler(helloAround(HELLO))),
    refused: { workerd: 'ERR_UNSUPPORTED' },
  },
  {
    name: 'take components apart for modules bound at build time',
    prove: () => splitComponent(files['hello.wasm']),
  },
  {
    name: 'a guest that waits for its host (outbound HTTP, sleep)',
    prove: async () => {
      const get = async () => ({ tag: 'ok', val: 'Later' })
      let code: string | undefined
      const app = await createAppHandler(helloAround(HELLO), {
        interfaces: { 'fermyon:spin/variables': { functions: { get }, waits: new Set(['get']) } },
        // Visitors learn nothing of reasons: they stand in the log.
        onLog: ({ text }) => (code = /\((ERR_\w+)\)$/.exec(text)?.[1]),
      })
      await ask(app).catch((cause: Error) => {
        throw Object.assign(cause, { code })
      })
    },
    refused: {
      'Node 20, 22': 'ERR_UNSUPPORTED',
      WebKit: 'ERR_UNSUPPORTED',
      workerd: 'ERR_UNSUPPORTED',
    },
  },
  {
    name: 'values kept in IndexedDB',
    prove: async () => {
      const store = createIndexedDbKeyValue(crypto.randomUUID())
      await store.set('a', Uint8Array.of(1))
      if ((await store.get('a'))?.[0] !== 1) throw new Error('it is gone')
    },
    refused: {
      'Node 20, 22': 'ERR_UNSUPPORTED',
      'Node 24, 26': 'ERR_UNSUPPORTED',
      Bun: 'ERR_UNSUPPORTED',
      Deno: 'ERR_UNSUPPORTED',
      workerd: 'ERR_UNSUPPORTED',
    },
  },
]
