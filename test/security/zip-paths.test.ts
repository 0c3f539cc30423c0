import { describe, expect, test } from 'vitest'
import { readAppSource } from '../../src/spin/app-source.ts'
import { type ZipEntry, zipOf } from '../fixtures/zip.ts'

// A zip from a stranger names paths that lead out of the application, or that two readers
// understand differently.

const LINK = 0o120777

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
