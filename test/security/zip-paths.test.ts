import { deflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readAppSource } from '../../src/spin/source/app-source.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { manifestOf } from '../fixtures/manifest.ts'
import { type ZipEntry, zipOf } from '../fixtures/zip.ts'

// A zip from a stranger names paths that lead out of the application, or that two readers
// understand differently.

const LINK = 0o120777
const WASM = deflateRawSync(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))

async function refusal(entries: ZipEntry[]): Promise<unknown> {
  return readAppSource(zipOf(entries)).then(
    (tree) => [...tree.keys()],
    (error: { code: unknown }) => error.code,
  )
}

describe('a zip is refused for', () => {
  test.each([
    ['a parent folder', '../evil'],
    ['a parent folder inside', 'a/../../evil'],
    ['a parent folder that stays inside', 'a/../b'],
    ['an absolute path', '/etc/passwd'],
    ['a drive letter', 'C:/windows/x'],
    ['a drive letter without slash', 'c:x'],
    ['a backslash', 'a\\..\\..\\evil'],
    ['a UNC path', '\\\\host\\share'],
    ['a NUL', 'a\0.txt'],
    ['a line break', 'a\nb'],
    ['an empty name', ''],
    ['a dot', './'],
    ['a very long name', 'a/'.repeat(3000) + 'b'],
  ])('%s', async (_, name) => {
    expect(await refusal([{ name, text: name.endsWith('/') ? '' : 'x' }])).toBe(
      'ERR_CONTENT_INVALID',
    )
  })

  test('a name that is not UTF-8', async () => {
    expect(await refusal([{ name: Uint8Array.of(0x61, 0xff), flags: 0, text: 'x' }])).toBe(
      'ERR_CONTENT_INVALID',
    )
  })

  test('a link', async () => {
    expect(await refusal([{ name: 'a', text: '/etc/passwd', mode: LINK }])).toBe(
      'ERR_CONTENT_INVALID',
    )
    expect(await refusal([{ name: 'a/', mode: LINK }])).toBe('ERR_CONTENT_INVALID')
  })

  test('a device', async () => {
    expect(await refusal([{ name: 'a', mode: 0o020666 }])).toBe('ERR_CONTENT_INVALID')
  })

  test('one path twice, also when spelled differently', async () => {
    expect(
      await refusal([
        { name: 'a', text: '1' },
        { name: 'a', text: '2' },
      ]),
    ).toBe('ERR_CONTENT_INVALID')
    expect(
      await refusal([
        { name: 'a', text: '1' },
        { name: './a', text: '2' },
      ]),
    ).toBe('ERR_CONTENT_INVALID')
  })

  test('one path in the directory and another at the entry, once that is read', async () => {
    const tree = await readAppSource(zipOf([{ name: 'good', localName: 'evil', text: 'x' }]))
    const content = tree.get('good') as Blob
    await expect(new Response(content.stream()).text()).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
    })
  })

  test('encryption', async () => {
    for (const flags of [1, 0x40, 0x2000])
      expect(await refusal([{ name: 'a', text: 'x', flags }])).toBe('ERR_UNSUPPORTED')
  })
})

describe('in a zip of an application', () => {
  /** The files that `static/**` brings. */
  async function load(...entries: ZipEntry[]): Promise<unknown> {
    const text = manifestOf({ name: 'app', source: 'app.wasm', more: 'files = ["static/**/*"]' })
    const app = [
      { name: 'spin.toml', text },
      { name: 'app.wasm', deflated: WASM, size: 8 },
      { name: 'static/a.txt', text: 'a' },
    ]
    return loadApp(zipOf([...app, ...entries])).then(
      ({ components }) => [...components[0]!.fileTree.keys()],
      (error: { code: unknown }) => error.code,
    )
  }

  const BAD: [string, ZipEntry][] = [
    ['a name with a line break', { name: 'Icon\r', text: 'x' }],
    ['a NUL', { name: 'a\0.txt', text: 'x' }],
    ['a backslash', { name: 'a\\b.js', text: 'x' }],
    ['a colon', { name: 'a:b', text: 'x' }],
    ['a name that is not UTF-8', { name: Uint8Array.of(0x61, 0xff), flags: 0, text: 'x' }],
    ['a folder with a line break', { name: 'b\r/' }],
    ['a link', { name: 'link', text: '/etc/passwd', mode: LINK }],
    ['a device', { name: 'null', mode: 0o020666 }],
    ['an encrypted file', { name: 'secret', text: 'x', flags: 1 }],
    ['an unknown method', { name: 'method', text: 'x', method: 9 }],
  ]
  const below = (folder: string, { name, ...entry }: ZipEntry): ZipEntry => ({
    ...entry,
    name:
      typeof name === 'string'
        ? folder + name
        : Uint8Array.of(...new TextEncoder().encode(folder), ...name),
  })

  test.each(BAD)('%s does not matter beside what the manifest names', async (_, entry) => {
    expect(await load(entry)).toEqual(['static/a.txt'])
    expect(await load(below('node_modules/x/', entry))).toEqual(['static/a.txt'])
  })

  test.each(BAD.filter(([name]) => name !== 'a colon'))(
    '%s is refused within',
    async (_, entry) => {
      expect(await load(below('static/', entry))).toMatch(/^ERR_(?:CONTENT_INVALID|UNSUPPORTED)$/)
    },
  )

  test.each([
    ['a parent folder', '../evil'],
    ['a parent folder inside', 'node_modules/../../evil'],
    ['a parent folder by backslashes', 'a\\..\\..\\evil'],
    ['a parent folder by both', 'a/..\\evil'],
    ['an absolute path', '/etc/passwd'],
    ['an absolute path of Windows', 'C:\\x'],
    ['a UNC path', '\\\\host\\share'],
    ['a very long name', 'a/'.repeat(3000) + 'b'],
    ['a path that occurs twice', 'static/a.txt'],
    ['the same path in other words', './static//a.txt'],
  ])('%s is refused anywhere', async (_, name) => {
    expect(await load({ name, text: 'x' })).toBe('ERR_CONTENT_INVALID')
  })

  test.each([
    ['a link and a folder', [{ name: 'static', text: '/etc', mode: LINK }]],
    ['a file and a folder', [{ name: 'static', text: 'x' }]],
    [
      'a good path and one like it that is no UTF-8',
      [
        { name: 'static/\ufffd', text: 'x' },
        { name: Uint8Array.of(...new TextEncoder().encode('static/'), 0xff), flags: 0, text: 'y' },
      ],
    ],
  ] satisfies [string, ZipEntry[]][])('%s of one name are refused', async (_, entries) => {
    expect(await load(...entries)).toBe('ERR_CONTENT_INVALID')
  })

  test('folders of many levels take no more memory than their names', async () => {
    const deep = Array.from({ length: 2000 }, (_, i) => ({ name: `${i}/${'a/'.repeat(2000)}b` }))
    expect(await load(...deep)).toEqual(['static/a.txt'])
  })

  test('what is not used does not count for the size', async () => {
    const large = { name: 'target/debug', deflated: deflateRawSync(Buffer.alloc(3e8)), size: 3e8 }
    expect(await load(large)).toEqual(['static/a.txt'])
    expect(await load(below('static/', large))).toBe('ERR_LIMIT_EXCEEDED')
  })
})
