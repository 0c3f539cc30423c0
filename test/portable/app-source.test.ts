import { describe, expect, test } from 'vitest'
import { readBounded } from '../../src/bytes/stream.ts'
import { decodeUtf8, encodeUtf8 } from '../../src/bytes/text.ts'
import {
  type AppSource,
  readAppSource,
  type ReadAppSourceOptions,
} from '../../src/spin/source/app-source.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { zipOf } from '../fixtures/zip.ts'

async function contentsOf(
  source: AppSource,
  options?: ReadAppSourceOptions,
): Promise<Record<string, string | undefined>> {
  const tree = await readAppSource(source, options)
  const contents: Record<string, string | undefined> = {}
  for (const [path, content] of tree)
    contents[path] = decodeUtf8(await readBounded(content, 1e6, path))
  return contents
}

function fileOf(path: string, text: string): File {
  const file = new File([text], path.split('/').at(-1) ?? '')
  Object.defineProperty(file, 'webkitRelativePath', { value: path.includes('/') ? path : '' })
  return file
}

const expected = { 'spin.toml': 'toml', 'static/a.css': 'css' }

describe('readAppSource', () => {
  test('reads a record of strings, bytes and blobs', async () => {
    expect(await contentsOf({ './spin.toml': 'toml', 'static//a.css': new Blob(['css']) })).toEqual(
      expected,
    )
  })

  test('reads a map', async () => {
    expect(
      await contentsOf(
        new Map([
          ['spin.toml', encodeUtf8('toml')],
          ['static/a.css', encodeUtf8('css')],
        ]),
      ),
    ).toEqual(expected)
  })

  test('keeps the prototype key as a path', async () => {
    expect(
      Object.keys(await contentsOf(JSON.parse('{"constructor":"x"}') as Record<string, string>)),
    ).toEqual(['constructor'])
  })

  test('reads chosen files without the name of their folder', async () => {
    expect(
      await contentsOf([fileOf('my app/spin.toml', 'toml'), fileOf('my app/static/a.css', 'css')]),
    ).toEqual(expected)
  })

  test('reads single chosen files by name', async () => {
    expect(await contentsOf([fileOf('spin.toml', 'toml')])).toEqual({ 'spin.toml': 'toml' })
  })

  test.each(['blob', 'bytes', 'file'])('reads a zip as %s', async (form) => {
    const zip = zipOf([
      { name: 'top/', mode: 0o040755 },
      { name: 'top/spin.toml', text: 'toml' },
      { name: 'top/static/a.css', text: 'css' },
    ])
    const blob = new Blob([zip])
    const source = form === 'blob' ? blob : form === 'bytes' ? zip : [new File([blob], 'App.ZIP')]
    expect(await contentsOf(source)).toEqual(expected)
  })

  test('reads a directory handle', async () => {
    const handle = directory('app', [
      file('spin.toml', 'toml'),
      directory('static', [file('a.css', 'css')]),
    ])
    expect(await contentsOf(handle)).toEqual(expected)
  })

  test('says how to get permission for a directory handle', async () => {
    const denied = {
      kind: 'directory' as const,
      name: 'app',
      entries: () => {
        throw new DOMException('no', 'NotAllowedError')
      },
    }
    await expect(readAppSource(denied)).rejects.toMatchObject({
      code: 'ERR_FILE_MISSING',
      message: expect.stringContaining('requestPermission'),
    })
  })

  test('reads all batches of a dropped folder, and takes entries before the first await', async () => {
    const names = Array.from({ length: 250 }, (_, i) => `f${i}`)
    const drop = dropOf([
      dropDirectory(
        'app',
        names.map((name) => dropFile(name, name)),
      ),
    ])
    const reading = readAppSource(drop)
    drop.items.length = 0
    expect((await reading).size).toBe(250)
  })

  test('reads files and folders dropped together', async () => {
    const drop = dropOf([
      dropFile('spin.toml', 'toml'),
      dropDirectory('static', [dropFile('a.css', 'css')]),
    ])
    expect(await contentsOf(drop)).toEqual(expected)
  })

  test('reads a zip dropped alone', async () => {
    const blob = new Blob([zipOf([{ name: 'spin.toml', text: 'toml' }])])
    expect(await contentsOf(dropOf([dropFile('app.zip', blob)]))).toEqual({ 'spin.toml': 'toml' })
  })

  test('rejects an empty drop', async () => {
    await expect(readAppSource(dropOf([]))).rejects.toMatchObject({ code: 'ERR_FILE_MISSING' })
  })

  test.each([
    '../a',
    'a/../b',
    '/a',
    'C:/a',
    './C:/a',
    'a\\b',
    'a\u0000b',
    'a\nb',
    '',
    '.',
    'a\ud800',
    'x'.repeat(5000),
  ])('refuses the path %j', async (path) => {
    await expect(readAppSource(new Map([[path, new Uint8Array()]]))).rejects.toMatchObject({
      code: 'ERR_APP_INVALID',
    })
  })

  test('refuses two spellings of one path', async () => {
    await expect(readAppSource({ a: '', './a': '' })).rejects.toThrow('occurs twice')
  })

  test('bounds files and bytes', async () => {
    await expect(readAppSource({ a: '', b: '' }, { maxFiles: 1 })).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
    await expect(readAppSource({ a: '12', b: '34' }, { maxBytes: 3 })).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
  })

  test('rejects with the reason of an abort', async () => {
    const reason = new Error('stop')
    await expect(readAppSource({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  test('takes a path on disk for a wrong argument', async () => {
    await expect(readAppSource('./app' as never)).rejects.toBeInstanceOf(TypeError)
  })
})

function file(name: string, text: string): { kind: string; name: string } {
  return { kind: 'file', name, getFile: async () => new File([text], name) } as never
}

function directory(
  name: string,
  children: { kind: string; name: string }[],
): {
  kind: 'directory'
  name: string
  entries(): AsyncIterable<[string, { kind: string; name: string }]>
} {
  return {
    kind: 'directory',
    name,
    async *entries() {
      for (const child of children) yield [child.name, child]
    },
  }
}

function dropOf(entries: object[]): {
  items: { length: number } & ArrayLike<{ kind: string; webkitGetAsEntry(): object }>
} {
  const items = [
    { kind: 'string', webkitGetAsEntry: () => ({}) },
    ...entries.map((entry) => ({ kind: 'file', webkitGetAsEntry: () => entry })),
  ]
  return { items }
}

function dropFile(name: string, content: string | Blob): object {
  return {
    isFile: true,
    name,
    file: (done: (file: File) => void) => setTimeout(() => done(new File([content], name))),
  }
}

function dropDirectory(name: string, children: object[]): object {
  return {
    isFile: false,
    name,
    createReader: () => {
      const left = [...children]
      return { readEntries: (done: (batch: object[]) => void) => done(left.splice(0, 100)) }
    },
  }
}

describe('loadApp', () => {
  const wasm = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)
  const toml = `spin_manifest_version = 2
[application]
name = "app"
[[trigger.http]]
route = "/..."
component = "main"
[component.main]
source = "app.wasm"
files = ["static/*"]
`
  const beside = ['Icon\r', 'a:b', 'C:x', 'x\\y']

  test('of a directory handle opens only what the manifest names', async () => {
    const opened: string[] = []
    const listed: string[] = []
    const seen = (handle: { kind: string; name: string }): never => {
      const { kind, name } = handle
      if (kind === 'file')
        return {
          kind,
          name,
          getFile: () => (opened.push(name), (handle as never as { getFile(): unknown }).getFile()),
        } as never
      const entries = (handle as never as { entries(): AsyncIterable<[string, typeof handle]> })
        .entries
      return {
        kind,
        name,
        async *entries() {
          listed.push(name)
          for await (const [key, child] of entries()) yield [key, seen(child)]
        },
      } as never
    }
    const handle = directory('app', [
      file('spin.toml', toml),
      file('app.wasm', String.fromCharCode(...wasm)),
      directory('static', [file('a.css', 'css')]),
      directory('node_modules', [file('x.js', '')]),
      ...beside.map((name) => file(name, '')),
    ])
    const { components } = await loadApp(seen(handle))
    expect([...components[0]!.fileTree.keys()]).toEqual(['static/a.css'])
    expect(opened.toSorted()).toEqual(['a.css', 'app.wasm', 'spin.toml'])
    expect([...new Set(listed)].toSorted()).toEqual(['app', 'static'])
  })

  test('of a drop and of chosen files is not stopped by names beside it', async () => {
    const all = { 'spin.toml': toml, 'app.wasm': '\0asm\x01\0\0\0', 'static/a.css': 'css' }
    const chosen = [...Object.keys(all), ...beside].map((path) =>
      fileOf(`app/${path}`, (all as Record<string, string>)[path] ?? ''),
    )
    const dropped = dropOf([
      dropDirectory('app', [
        dropFile('spin.toml', toml),
        dropFile('app.wasm', new Blob([wasm])),
        dropDirectory('static', [dropFile('a.css', 'css')]),
        ...beside.map((name) => dropFile(name, '')),
      ]),
    ])
    for (const source of [chosen, dropped]) {
      const { components } = await loadApp(source)
      expect([...components[0]!.fileTree.keys()]).toEqual(['static/a.css'])
    }
  })

  test('of chosen files says which name can’t be kept when the manifest wants it', async () => {
    const chosen = ['spin.toml', 'app.wasm', 'static/Icon\r'].map((path) =>
      fileOf(`app/${path}`, path === 'spin.toml' ? toml : ''),
    )
    await expect(loadApp(chosen)).rejects.toMatchObject({
      code: 'ERR_APP_INVALID',
      message: expect.stringContaining('leave it out with exclude_files'),
    })
  })
})
