import { beforeEach, describe, expect, it } from 'vitest'
import { createKeyPair, type KeyPair, signEcdsa } from '../../mocks/sigstore/certificates.ts'
import { digestOf } from '../../src/bytes/digest.ts'
import { formatHex } from '../../src/bytes/hex.ts'
import { formatPem } from '../../src/bytes/pem.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { publicGoodRoot } from '../../src/trust/root/trust-root.ts'
import { type TufState, updateTrustedRoot } from '../../src/trust/root/tuf.ts'

type Json = any
const now = new Date('2026-08-25T00:00:00Z')
const LATER = '2026-09-01T00:00:00Z'
const EARLIER = '2026-08-24T00:00:00Z'
const keys: KeyPair[] = []
let files: Map<string, Json | Uint8Array>
let saved: TufState

/** As the framework's own canonical form, in which line feeds are not escaped. */
const canonical = (value: Json): string =>
  typeof value === 'string'
    ? `"${value.replace(/["\\]/g, '\\$&')}"`
    : Array.isArray(value)
      ? `[${value.map(canonical).join(',')}]`
      : typeof value === 'object'
        ? `{${Object.keys(value)
            .sort()
            .map((key) => `${canonical(key)}:${canonical(value[key])}`)
            .join(',')}}`
        : String(value)

async function signed(content: Json, by: readonly number[]): Promise<Json> {
  const bytes = encodeUtf8(canonical(content))
  const signatures = await Promise.all(
    by.map(async (i) => ({ keyid: `k${i}`, sig: formatHex(await signEcdsa(keys[i]!, bytes)) })),
  )
  return { signatures, signed: content }
}

const root = (version: number, expires = LATER): Json => ({
  _type: 'root',
  spec_version: '1.0',
  version,
  expires,
  keys: Object.fromEntries(
    keys.map(({ spki }, i) => [
      `k${i}`,
      {
        keytype: 'ecdsa',
        scheme: 'ecdsa-sha2-nistp256',
        keyval: { public: formatPem('PUBLIC KEY', spki) },
      },
    ]),
  ),
  roles: {
    root: { keyids: ['k0', 'k1', 'k2'], threshold: 2 },
    targets: { keyids: ['k0', 'k1', 'k2'], threshold: 2 },
    snapshot: { keyids: ['k3'], threshold: 1 },
    timestamp: { keyids: ['k3'], threshold: 1 },
  },
})
const timestamp = (version: number, snapshot = 5, expires = LATER): Json => ({
  _type: 'timestamp',
  version,
  expires,
  meta: { 'snapshot.json': { version: snapshot } },
})
const snapshot = (version: number, targets = 3, expires = LATER): Json => ({
  _type: 'snapshot',
  version,
  expires,
  meta: { 'targets.json': { version: targets } },
})

let targets: (expires?: string) => Json

beforeEach(async () => {
  while (keys.length < 5) keys.push(await createKeyPair())
  const target = encodeUtf8(JSON.stringify(publicGoodRoot))
  const sha256 = (await digestOf(target)).slice(7)
  targets = (expires = LATER) => ({
    _type: 'targets',
    version: 3,
    expires,
    targets: { 'trusted_root.json': { length: target.length, hashes: { sha256 } } },
  })
  // The root that one starts from may have expired; the last one may not.
  saved = { root: await signed(root(1, '2025-01-01T00:00:00Z'), [0, 1]) }
  files = new Map<string, Json | Uint8Array>([
    ['2.root.json', await signed(root(2), [0, 2])],
    ['timestamp.json', await signed(timestamp(9), [3])],
    ['5.snapshot.json', await signed(snapshot(5), [3])],
    ['3.targets.json', await signed(targets(), [1, 2])],
    [`targets/${sha256}.trusted_root.json`, target],
  ])
})

const update = (from: TufState = saved): ReturnType<typeof updateTrustedRoot> =>
  updateTrustedRoot(from, {
    now,
    url: 'https://tuf.test/',
    fetch: async (request) => {
      const file = files.get(new URL(request.url).pathname.slice(1))
      return file === undefined
        ? new Response('', { status: 404 })
        : file instanceof Uint8Array
          ? new Response(file as Uint8Array<ArrayBuffer>)
          : Response.json(file)
    },
  })

describe('an update of the trusted root', () => {
  it('follows the root, and gives what to go on from', async () => {
    const { trustedRoot, state } = await update()
    expect(trustedRoot).toEqual(publicGoodRoot)
    expect(state).toEqual({ root: files.get('2.root.json'), timestamp: 9, snapshot: 5, targets: 3 })
    expect((await update(state)).state).toEqual(state)
  })

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'a rollback of the timestamp',
      async () => (saved = { ...saved, timestamp: 10 }),
      'ERR_CONTENT_INVALID',
    ],
    [
      'a rollback of the snapshot',
      async () => (saved = { ...saved, snapshot: 6 }),
      'ERR_CONTENT_INVALID',
    ],
    [
      'a rollback of the targets',
      async () => (saved = { ...saved, targets: 4 }),
      'ERR_CONTENT_INVALID',
    ],
    [
      'an expired timestamp (freeze)',
      async () => files.set('timestamp.json', await signed(timestamp(9, 5, EARLIER), [3])),
      'ERR_CONTENT_INVALID',
    ],
    [
      'an expired snapshot',
      async () => files.set('5.snapshot.json', await signed(snapshot(5, 3, EARLIER), [3])),
      'ERR_CONTENT_INVALID',
    ],
    [
      'expired targets',
      async () => files.set('3.targets.json', await signed(targets(EARLIER), [1, 2])),
      'ERR_CONTENT_INVALID',
    ],
    ['an expired last root', async () => files.delete('2.root.json'), 'ERR_CONTENT_INVALID'],
    [
      'a root with too few signatures',
      async () => files.set('2.root.json', await signed(root(2), [0])),
      'ERR_SIGNATURE_INVALID',
    ],
    [
      'a root that one key signed twice',
      async () => files.set('2.root.json', await signed(root(2), [0, 0])),
      'ERR_SIGNATURE_INVALID',
    ],
    [
      'a root that a key of another role signed',
      async () => files.set('2.root.json', await signed(root(2), [0, 3])),
      'ERR_SIGNATURE_INVALID',
    ],
    [
      'a gap between roots',
      async () => files.set('2.root.json', await signed(root(3), [0, 1])),
      'ERR_CONTENT_INVALID',
    ],
    [
      'targets with too few signatures',
      async () =>
        files.set('3.targets.json', {
          ...files.get('3.targets.json'),
          signatures: files.get('3.targets.json').signatures.slice(1),
        }),
      'ERR_SIGNATURE_INVALID',
    ],
    [
      'changed targets',
      async () => (files.get('3.targets.json').signed.targets['trusted_root.json'].length = 1),
      'ERR_SIGNATURE_INVALID',
    ],
    [
      'a snapshot that was not announced',
      async () => files.set('5.snapshot.json', await signed(snapshot(6), [3])),
      'ERR_CONTENT_INVALID',
    ],
    [
      'one document in place of another',
      async () => files.set('timestamp.json', files.get('5.snapshot.json')),
      'ERR_CONTENT_INVALID',
    ],
    [
      'a target with a wrong hash',
      async () => [...files.values()].at(-1).fill(32, 0, 1),
      'ERR_DIGEST_MISMATCH',
    ],
    ['a missing snapshot', async () => files.delete('5.snapshot.json'), 'ERR_RESPONSE'],
  ])('81: is refused for %s', async (_, spoil, code) => {
    await spoil()
    await expect(update()).rejects.toMatchObject({ code })
  })

  it('follows as many rotations as it says, and no more', async () => {
    for (let version = 3; version <= 65; version++)
      files.set(`${version}.root.json`, await signed(root(version), [0, 2]))
    expect((await update()).state.root).toEqual(files.get('65.root.json'))
    files.set('66.root.json', await signed(root(66), [0, 2]))
    await expect(update()).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
      message: expect.stringContaining('more than 64 times'),
    })
  })

  describe('after keys were taken back', () => {
    const rotate = async (keyids: readonly string[], by: number): Promise<void> => {
      const next = root(2)
      next.roles.timestamp.keyids = next.roles.snapshot.keyids = keyids
      files.set('2.root.json', await signed(next, [0, 2]))
      files.set('timestamp.json', await signed(timestamp(9), [by]))
      files.set('5.snapshot.json', await signed(snapshot(5), [by]))
    }
    const runUp = { timestamp: 2 ** 40, snapshot: 2 ** 40, targets: 2 ** 40 }

    it('goes on, however far who had them ran the versions up', async () => {
      await rotate(['k4'], 4)
      const { state } = await update({ ...saved, ...runUp })
      expect(state).toMatchObject({ timestamp: 9, snapshot: 5, targets: 3 })
      await expect(update({ ...state, timestamp: 10 })).rejects.toThrow(/rollback/)
    })

    it('but not because there are more of them', async () => {
      await rotate(['k3', 'k4'], 4)
      await expect(update({ ...saved, ...runUp })).rejects.toThrow(/rollback/)
    })
  })

  it('81: is refused for metadata that is nested without an end', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    const file = { ...timestamp(9), x: 0 }
    const text = JSON.stringify({ signatures: [], signed: file }).replace('"x":0', `"x":${deep}`)
    files.set('timestamp.json', encodeUtf8(text))
    await expect(update()).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  it.each([
    ['goes by two names', (pem: string) => pem],
    ['is written in two ways', (pem: string) => `${pem.trim()}\n\n`],
  ])('81: is refused where one key %s', async (_, write) => {
    const twice = root(1)
    const { keyval, ...rest } = twice.keys.k0
    twice.keys.k1 = { ...rest, keyval: { public: write(keyval.public) } }
    const content = await signed(twice, [0])
    content.signatures.push({ ...content.signatures[0], keyid: 'k1' })
    await expect(update({ root: content })).rejects.toMatchObject({ code: 'ERR_SIGNATURE_INVALID' })
  })
})
