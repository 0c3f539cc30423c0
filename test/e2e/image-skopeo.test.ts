// Images FROM scratch with a /spin.toml, as skopeo copies them to a registry, run by the built command.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildProgram } from '../cli/built-program.ts'
import { type Entry, OCI_LAYER, OCI_MANIFEST, tarOfEntries } from '../fixtures/image.ts'
import { missingRegistry, type RegistryProcess, startRegistry } from './docker-registry-process.ts'
import { startUp } from './start-up.ts'

function hasSkopeo(): boolean {
  try {
    execFileSync('skopeo', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
const leftOut = missingRegistry ?? (hasSkopeo() ? undefined : 'skopeo is missing')
if (leftOut !== undefined)
  console.log(`left out: images between skopeo and docker-registry, ${leftOut}`)

const HELLO = new URL('../../examples/hello/', import.meta.url)
const SPIN_TOML = readFileSync(new URL('spin.toml', HELLO), 'utf8').replace(
  'source = "static"',
  'source = "assets"',
)

/** What one layer writes and the next two change, with links that lead out of the image. */
const LAYERS: readonly (readonly (readonly [string, Entry])[])[] = [
  [
    ['spin.toml', SPIN_TOML.replace('"hello"', '"older"')],
    ['hello.wasm', readFileSync(new URL('hello.wasm', HELLO))],
    ['assets/', { folder: true }],
    ['assets/gone.txt', 'gone'],
    ['assets/old/x.txt', 'old'],
    ['assets/a.txt', 'first'],
  ],
  [
    ['spin.toml', SPIN_TOML],
    ['assets/.wh.gone.txt', ''],
    ['assets/old/.wh..wh..opq', ''],
    ['assets/a.txt', 'second'],
    ['assets/hard.txt', { hard: 'assets/a.txt' }],
    ['assets/soft.txt', { symbolic: '/assets/a.txt' }],
  ],
  [
    ['assets/passwd', { symbolic: '/etc/passwd' }],
    ['assets/above', { symbolic: '../../../../../../../etc/passwd' }],
  ],
]

const FILES = ['a.txt', 'hard.txt', 'soft.txt', 'gone.txt', 'old/x.txt', 'passwd', 'above']

/** gzip in a member per 64 KiB, as eStargz has one per file. */
function membersOf(bytes: Uint8Array): Uint8Array {
  const parts = []
  for (let at = 0; at < bytes.length; at += 65536)
    parts.push(gzipSync(bytes.subarray(at, at + 65536)))
  return Buffer.concat(parts)
}

/** An OCI layout with an image tagged `1`; `platforms` of more than one make an index of it. */
function writeLayout(
  folder: string,
  platforms: readonly (readonly [string, string])[],
  isPlain: boolean,
): void {
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true })
  const add = (bytes: Uint8Array | string, mediaType: string) => {
    const hash = createHash('sha256').update(bytes).digest('hex')
    writeFileSync(join(folder, 'blobs/sha256', hash), bytes)
    return { mediaType, digest: `sha256:${hash}`, size: Buffer.byteLength(bytes) }
  }
  const tars = LAYERS.map((entries) => tarOfEntries(entries))
  const manifests = platforms.map(([os, architecture], index) => {
    const own = index === 0 ? tars : [tarOfEntries([['readme', 'for another machine']])]
    const diff_ids = own.map((tar) => `sha256:${createHash('sha256').update(tar).digest('hex')}`)
    const config = { os, architecture, config: {}, rootfs: { type: 'layers', diff_ids } }
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: add(JSON.stringify(config), 'application/vnd.oci.image.config.v1+json'),
      layers: own.map((tar) =>
        isPlain ? add(tar, OCI_LAYER) : add(membersOf(tar), `${OCI_LAYER}+gzip`),
      ),
    }
    return { ...add(JSON.stringify(manifest), OCI_MANIFEST), platform: { os, architecture } }
  })
  const type = 'application/vnd.oci.image.index.v1+json'
  const index = { schemaVersion: 2, mediaType: type, manifests }
  const top = manifests.length === 1 ? manifests[0] : add(JSON.stringify(index), type)
  const tagged = { ...top, annotations: { 'org.opencontainers.image.ref.name': '1' } }
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [tagged] }),
  )
}

const recompressed = (format: string): string[] => [
  '--dest-compress',
  ...['--dest-compress-format', format],
]
const WASM = [['wasip1', 'wasm']] as const

describe.skipIf(leftOut !== undefined)('an image copied by skopeo', { timeout: 60_000 }, () => {
  let registry: RegistryProcess
  let program: string
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spindle-image-'))
    program = (await buildProgram()).main
    registry = await startRegistry()
  })
  afterAll(async () => {
    await registry?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it.each([
    [
      'chunked',
      'layers of Zstandard in chunks',
      WASM,
      'zstd-chunked',
      recompressed('zstd:chunked'),
    ],
    ['zstd', 'layers of Zstandard', WASM, 'tar+zstd', recompressed('zstd')],
    ['members', 'layers of many gzip members', WASM, 'tar+gzip', []],
    ['docker', 'the manifest of Docker', WASM, 'docker.distribution', ['--format', 'v2s2']],
    [
      'index',
      'an index of several platforms',
      [...WASM, ['linux', 'amd64'], ['linux', 'arm64']],
      'image.index',
      ['--all'],
    ],
  ] as const)('is pulled and run: %s, %s', async (name, _, platforms, mediaType, flags) => {
    const layout = join(folder, name)
    writeLayout(layout, platforms, mediaType.includes('zstd'))
    const at = `${registry.host}/team/${name}:1`
    const copy = ['--insecure-policy', 'copy', '--dest-tls-verify=false', ...flags]
    execFileSync('skopeo', [...copy, `oci:${layout}:1`, `docker://${at}`], { stdio: 'pipe' })
    const inspect = ['inspect', '--raw', '--tls-verify=false', `docker://${at}`]
    expect(execFileSync('skopeo', inspect, { encoding: 'utf8' })).toContain(mediaType)
    const app = join(folder, `${name}-run`)
    mkdirSync(app)
    const up = await startUp(program, app, ['--from-registry', at, '--insecure'])
    expect(up.url, up.output()).toBeDefined()
    const answers: Record<string, unknown> = {}
    for (const path of ['hello/Ann', ...FILES.map((file) => `static/${file}`)]) {
      const response = await fetch(`${up.url}/${path}`)
      answers[path] = response.ok ? await response.text() : response.status
    }
    await up.stop()
    expect(answers, up.output()).toEqual({
      'hello/Ann': expect.stringContaining('Hello, Ann!'),
      'static/a.txt': 'second',
      'static/hard.txt': 'second',
      'static/soft.txt': 'second',
      'static/gone.txt': 404,
      'static/old/x.txt': 404,
      // Links that lead out of the image lead nowhere.
      'static/passwd': 404,
      'static/above': 404,
    })
  })
})
