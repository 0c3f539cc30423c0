import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { readBounded } from '../../src/bytes/stream.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { readAppSource } from '../../src/spin/source/app-source.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { lockApp } from '../../src/spin/source/lock-app.ts'
import type { LockResult } from '../../src/spin/lock/locked-app.ts'
import { packApp } from '../../src/spin/artifact/pack.ts'
import { unpackApp } from '../../src/spin/artifact/unpack.ts'
import { copyGraph } from '../../src/store/copy-graph.ts'
import { readLayoutTar } from '../../src/store/layout-tar.ts'
import type { Content, Digest } from '../../src/types.ts'

// The same constants in Node, Chromium and workerd, today and in every version to come: whoever
// has to change one changes the digest of every application that is pushed.

/** Text that compresses as text does, the same on every machine. */
function prose(seed: number, size: number): string {
  let state = seed * 2654435761 + 1
  let text = ''
  while (text.length < size) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    const length = 2 + ((state >>> 16) % 7)
    for (let i = 0; i < length; i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      text += String.fromCharCode(97 + ((state >>> 16) % 26))
    }
    text += ' '
  }
  return text.slice(0, size)
}

/** One component with all files of a record, as Blobs, as a page has them. */
async function lockOf(files: Record<string, string>): Promise<LockResult> {
  const tree = await readAppSource(
    Object.fromEntries(Object.entries(files).map(([path, text]) => [path, new Blob([text])])),
  )
  const contents = new Map<Digest, Uint8Array | Content>()
  const entries = []
  for (const [path, content] of tree) {
    const digest = await digestOf(await readBounded(content, 1e9, path))
    contents.set(digest, content)
    entries.push({ path, digest })
  }
  const wasm = encodeUtf8(`\0asm${prose(7, 5000)}`)
  const digest = await digestOf(wasm)
  contents.set(digest, wasm)
  const locked = {
    spin_lock_version: 0 as const,
    metadata: {
      authors: ['Ada <ada@example.com>'],
      description: 'Ünï\ncode',
      name: 'golden',
      trigger: { type: 'http' },
      triggers: {},
      version: '1.0.0',
    },
    triggers: [
      {
        id: 'http-trigger1',
        trigger_type: 'http',
        trigger_config: { route: '/...', component: 'web' },
      },
    ],
    components: [
      { id: 'web', source: { content_type: 'application/wasm', digest }, files: entries },
    ],
  }
  return { locked, contents }
}

const small = {
  'index.html': prose(1, 3000),
  'robots.txt': 'User-agent: *\n',
  empty: '',
  'css/site.css': prose(2, 129),
}
const many = Object.fromEntries(
  Array.from({ length: 600 }, (_, i) => [`pages/${i % 20}/${i}.html`, prose(i, 100 + 7 * i)]),
)
const odd = {
  'ünï/文字/🦀.txt': prose(3, 500),
  [`${'very-long-folder/'.repeat(9)}${'n'.repeat(90)}.txt`]: prose(4, 500),
  [`${'é'.repeat(50)}.txt`]: prose(5, 500),
  '__proto__/constructor': prose(6, 500),
}

const golden: [string, Record<string, string>, boolean | undefined, string][] = [
  [
    'a small application',
    small,
    undefined,
    'sha256:bafabd1248c6f618277de1063ca7937bd407d1b719247aa5b5f6486bd51b3778',
  ],
  [
    'a small application as an archive',
    small,
    true,
    'sha256:1ac5cf803e17fc40bf0285f16e3ec7d2822d6f4129857d4d8608691a2bc058a0',
  ],
  [
    '600 files, so an archive',
    many,
    undefined,
    'sha256:d2b94447ad2fe4a5f4aa3a97ce19eeedd9a9e3751e234f364b0a75cc4cfb9546',
  ],
  [
    'non-ASCII and long names',
    odd,
    undefined,
    'sha256:d9ff568f7128f6e94d1f05176874bf02a660e126dbb97624f55e9e4534f3c092',
  ],
  [
    'non-ASCII and long names in an archive',
    odd,
    true,
    'sha256:a76a2349407ee0e6d3ca5a280798bb9f29c628458c09fb1a21309102e0aab6ad',
  ],
]

describe('golden digests', () => {
  test.each(golden)('%s', async (_, files, archive, digest) => {
    const lock = await lockOf(files)
    const packed = await packApp(lock, archive === undefined ? {} : { archive })
    expect(packed.descriptor.digest).toBe(digest)

    const layout = await readLayoutTar()
    await copyGraph(packed.store, layout, packed.descriptor, { tag: '1' })
    const app = await unpackApp(await layout.resolve('1'), layout)
    const tree = await app.files('web')
    expect(tree.size).toBe(Object.keys(files).length)
    for (const [path, text] of Object.entries(files)) {
      const bytes = await readBounded(tree.get(path) as Uint8Array, 1e6, path)
      expect(await digestOf(bytes)).toBe(await digestOf(encodeUtf8(text)))
    }
  })

  test('from spin.toml on, and whatever the files are kept in', async () => {
    const manifest = `spin_manifest_version = 2

[application]
name = "golden"
version = "1.0.0"
description = "Ünï code"
authors = ["Ada <ada@example.com>"]

[[trigger.http]]
route = "/..."
component = "web"

[component.web]
source = "web.wasm"
allowed_outbound_hosts = ["https://example.com"]
files = [{ source = "site", destination = "/" }]

[component.web.build]
command = "make"
`
    const files: Record<string, string> = {
      'spin.toml': manifest,
      'web.wasm': `\0asm\u0001\0\0\0${prose(7, 5000)}`,
    }
    for (const [path, text] of Object.entries(small)) files[`site/${path}`] = text
    const blobs = Object.entries(files).map(([path, text]) => [path, new Blob([text])] as const)
    for (const source of [files, new Map(blobs.toReversed())]) {
      const { descriptor } = await packApp(await lockApp(await loadApp(source)))
      expect(descriptor.digest).toBe(
        'sha256:88989548ba5ee81b63eb1f3a597da65d8b4f5237f736af04b827a452c9bdf730',
      )
    }
  })

  test('of an OCI archive', async () => {
    const packed = await packApp(await lockOf(small))
    const layout = await readLayoutTar()
    await copyGraph(packed.store, layout, packed.descriptor, { tag: '1.0.0' })
    const bytes = await readBounded(layout.archive(), 1e8, 'the archive')
    expect(await digestOf(bytes)).toBe(
      'sha256:d069cd33c24c2012983b4c65ac0536d3e69a3c58ec0f44b18de12fe315ed1e4a',
    )
  })
})
