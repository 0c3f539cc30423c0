import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { AppInvalid } from '../../src/errors.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { lockApp } from '../../src/spin/source/lock-app.ts'
import { formatLockedApp } from '../../src/spin/lock/format-locked-app.ts'

const GOLDEN = new URL('../../../shared/vectors/spin/golden/loader/', import.meta.url)
const HAS_GOLDEN = existsSync(GOLDEN)
if (!HAS_GOLDEN) console.warn("left out: Spin's golden locks, ../shared/vectors is not there")

const read = (name: string): string => readFileSync(new URL(name, GOLDEN), 'utf8')

// Stands for what the manifests download: its bytes can't have the digest of zeros that they give.
const REMOTE = encodeUtf8('remote')
const ZEROS = `sha256:${'0'.repeat(64)}`

/** The folder as a tree. The stand-ins for Wasm are all empty: each gets its own name as content, so that digests differ. */
async function treeOf(folder: string): Promise<Map<string, Uint8Array>> {
  const tree = new Map<string, Uint8Array>()
  for (const name of readdirSync(new URL(folder, GOLDEN), { recursive: true, encoding: 'utf8' })) {
    const file = new URL(folder + name, GOLDEN)
    if (!statSync(file).isFile()) continue
    const bytes = name.endsWith('.wasm') ? encodeUtf8(name) : new Uint8Array(readFileSync(file))
    const text = name.endsWith('.toml')
      ? readFileSync(file, 'utf8').replace(ZEROS, await digestOf(REMOTE))
      : undefined
    tree.set(name, text === undefined ? bytes : encodeUtf8(text))
  }
  return tree
}

/** A lock in the form that Spin writes for its own machine: URLs of files for digests, one folder for all files. */
async function localForm(locked: unknown, tree: ReadonlyMap<string, Uint8Array>): Promise<unknown> {
  const urls = new Map<string, string>([
    [await digestOf(REMOTE), `file://<cache-dir>/spin/registry/wasm/${ZEROS}`],
  ])
  for (const [path, bytes] of tree) {
    if (path.endsWith('.wasm')) urls.set(await digestOf(bytes), `file://<test-dir>/${path}`)
  }
  return JSON.parse(JSON.stringify(locked), (_, value) => {
    if (value !== null && typeof value === 'object' && 'content_type' in value) {
      return { content_type: value.content_type, source: urls.get(value.digest) }
    }
    if (value !== null && typeof value === 'object' && Array.isArray(value.files)) {
      return { ...value, files: [{ source: `file://<temp-dir>/assets/${value.id}`, path: '/' }] }
    }
    return value
  })
}

const load = async (folder: string, manifestPath: string) => {
  const tree = await treeOf(folder)
  const app = await loadApp(tree, { manifestPath, fetch: async () => new Response(REMOTE) })
  return { tree, app, ...(await lockApp(app, { origin: `file://<test-dir>/${manifestPath}` })) }
}

describe.runIf(HAS_GOLDEN)("locks of Spin's loader", () => {
  const names = HAS_GOLDEN
    ? [
        ...readdirSync(GOLDEN).filter((name) => name.endsWith('.lock')),
        'valid-with-files/spin.lock',
      ]
    : []

  it.each(names)('%s comes out but for paths of the machine', async (name) => {
    const folder = name.includes('/') ? name.slice(0, name.indexOf('/') + 1) : ''
    const { locked, tree } = await load(folder, name.slice(folder.length).replace('.lock', '.toml'))
    const written: unknown = JSON.parse(new TextDecoder().decode(formatLockedApp(locked)))
    const expected: unknown = JSON.parse(read(name))
    expect(await localForm(written, tree)).toEqual(expected)
    // Not only the same, but in the same order.
    expect(JSON.stringify(await localForm(written, tree))).toBe(JSON.stringify(expected))
  })

  it('valid-with-files has the files that a glob over everything finds', async () => {
    const { locked, contents } = await load('valid-with-files/', 'spin.toml')
    const files = locked.components[0]?.files ?? []
    expect(files.map(({ path }) => path)).toEqual([
      'spin-fs.wasm',
      'spin.lock',
      'spin.toml',
      'static/alphabet/a',
      'static/alphabet/b',
      'static/alphabet/c',
      'static/numbers/1',
      'static/numbers/2',
      'static/numbers/3',
    ])
    for (const { digest } of files) expect(contents.has(digest)).toBe(true)
  })

  const failures: Readonly<Record<string, readonly string[]>> = {
    'invalid-digest.toml': ['invalid `digest` "not-a-digest"; must start with \'sha256:\''],
    'invalid-url-in-allowed-http-hosts.toml': [
      "ftp://random-data-api.fermyon.app isn't a valid host or host:port string",
      'example.com/wib/wob contains a path, should be host and optional port only',
    ],
    'invalid-variable-default-in-allowed-hosts.toml': [
      '`allowed_outbound_hosts` is malformed',
      'using default variable value(s) with template "https://{{ invalid_default_host }}" results in invalid config "https://invalid host"',
      'Invalid allowed host "invalid host"',
      'invalid international domain name',
    ],
    'invalid-version.toml': ['invalid manifest version: "77.301.12"'],
  }

  it.each(Object.entries(failures))('%s is refused in the words of Spin', async (name, words) => {
    const error = await load('', name).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(AppInvalid)
    const expected = read(name.replace('.toml', '.err'))
    for (const word of words) {
      expect(expected).toContain(word)
      expect((error as AppInvalid).message).toContain(word)
    }
    for (const { path, line, frame } of (error as AppInvalid).findings) {
      expect(path).toBe(name)
      expect(line).toBeGreaterThan(0)
      expect(frame).toContain('^')
    }
  })

  it('invalid-manifest.toml is refused at the line that Spin gives, in the words of another TOML parser', async () => {
    const error = await load('', 'invalid-manifest.toml').catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(AppInvalid)
    expect((error as AppInvalid).findings).toMatchObject([{ code: 'toml-syntax', line: 6 }])
  })
})
