import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readBounded } from '../../src/bytes/stream.ts'
import { openDirectory } from '../../src/node/files/open-directory.ts'
import type { App } from '../../src/spin/source/app.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import type { SourceFolder } from '../../src/spin/files/source-folder.ts'
import { manifestOf } from '../fixtures/manifest.ts'

const WASM = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

interface Folder {
  readonly path: string
  write(name: string, content?: string | Uint8Array): string
}

/** An application with files as its manifest has them. */
function createApp(files: string): Folder {
  const path = join(mkdtempSync(join(tmpdir(), 'spindle-open-')), 'app')
  onTestFinished(() => rmSync(dirname(path), { recursive: true, force: true }))
  const write: Folder['write'] = (name, content = '') => {
    const place = join(path, name)
    mkdirSync(dirname(place), { recursive: true })
    writeFileSync(place, content)
    return place
  }
  write('spin.toml', manifestOf({ name: 'app', source: 'app.wasm', more: files }))
  write('app.wasm', WASM)
  return { path, write }
}

const load = async ({ path }: Folder): Promise<App> => loadApp(await openDirectory(path))
const filesOf = ({ components }: App): string[] => [...components[0]!.fileTree.keys()]

/** The same folder, with all that it is asked. */
function watched(folder: SourceFolder, asked: string[], path = ''): SourceFolder {
  return {
    kind: 'folder',
    names() {
      asked.push(`list ${path || '.'}`)
      return folder.names()
    },
    async find(name) {
      asked.push(`find ${path}${name}`)
      const entry = await folder.find(name)
      return entry?.kind === 'folder' ? watched(entry, asked, `${path}${name}/`) : entry
    },
  }
}

describe('what lies beside an application breaks nothing', () => {
  it.each<[string, (app: Folder) => void]>([
    ['a name with a line break', ({ write }) => write('Icon\r')],
    ['a backslash', ({ write }) => write('node_modules/x/a\\b.js')],
    ['a colon', ({ write }) => write('a:b')],
    ['a drive letter', ({ write }) => write('C:x')],
    [
      'a name that is not UTF-8',
      ({ path }) =>
        writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.of(0xff, 0xfe)]), ''),
    ],
    ['a link to nothing', ({ path }) => symlinkSync('nowhere', join(path, 'broken'))],
    ['a link out', ({ path }) => symlinkSync('/etc', join(path, 'etc'))],
    ['a loop of links', ({ path }) => symlinkSync('.', join(path, 'loop'))],
    ['deep folders', ({ path }) => mkdirSync(join(path, 'd/'.repeat(300)), { recursive: true })],
    ['another application', ({ write }) => write('other/spin.toml', 'broken')],
  ])('%s', async (_, put) => {
    const app = createApp('files = ["static/*", "one.txt"]')
    app.write('static/a.txt')
    app.write('one.txt')
    put(app)
    expect(filesOf(await load(app))).toEqual(['one.txt', 'static/a.txt'])
  })

  it('a socket', async () => {
    const app = createApp('files = ["one.txt"]')
    app.write('one.txt')
    const server = createServer().listen(join(app.path, 'socket'))
    onTestFinished(() => void server.close())
    expect(filesOf(await load(app))).toEqual(['one.txt'])
  })

  it('a folder that may not be read; one that is named is an error with its name', async () => {
    const app = createApp('files = ["one.txt"]')
    app.write('one.txt')
    app.write('closed/a.txt')
    const wanting = createApp('files = ["closed/*"]')
    wanting.write('closed/a.txt')
    for (const { path } of [app, wanting]) {
      chmodSync(dirname(path), 0o755)
      chmodSync(join(path, 'closed'), 0)
    }
    // Root may read everything, so for a moment the process is nobody.
    const isRoot = process.geteuid?.() === 0
    if (isRoot) process.seteuid?.(65534)
    try {
      expect(filesOf(await load(app))).toEqual(['one.txt'])
      await expect(load(wanting)).rejects.toMatchObject({
        code: 'ERR_FILE_MISSING',
        message: 'the folder "closed/" can\'t be read: permission denied',
      })
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
  })
})

describe('only what a manifest names is looked at', () => {
  it.each<[string, string[]]>([
    ['files = []', []],
    ['files = ["static/a.txt"]', ['find static', 'find static/a.txt']],
    [
      'files = ["static/*.txt"]',
      ['find static', 'find static/*.txt', 'list static/', 'find static/a.txt'],
    ],
    [
      'files = [{ source = "static/css", destination = "/" }]',
      ['find static', 'find static/css', 'list static/css/', 'find static/css/b.css'],
    ],
    [
      'files = ["static/**/b.css"]',
      [
        'find static',
        'find static/**',
        'find static/b.css',
        'list static/',
        'find static/a.txt',
        'find static/css',
        'list static/css/',
        'find static/css/b.css',
      ],
    ],
  ])('%s', async (files, expected) => {
    const app = createApp(files)
    app.write('static/a.txt')
    app.write('static/css/b.css')
    app.write('node_modules/x/index.js')
    const asked: string[] = []
    await loadApp(watched(await openDirectory(app.path), asked))
    const own = new Set(['find spin.toml', 'find app.wasm'])
    const others = asked.filter((call) => !own.has(call))
    for (const call of others) expect(expected).toContain(call)
    expect(others.filter((call) => call.startsWith('list'))).toEqual(
      expected.filter((call) => call.startsWith('list')),
    )
  })

  it('so that thousands of files beside it cost no call', async () => {
    const app = createApp('files = ["static/*"]')
    app.write('static/a.txt')
    for (let i = 0; i < 2000; i++) app.write(`node_modules/${i}.js`)
    const asked: string[] = []
    await loadApp(watched(await openDirectory(app.path), asked))
    expect(asked.length).toBeLessThan(12)
  })
})

describe('what a manifest names', () => {
  it('may be an empty folder', async () => {
    const app = createApp('files = ["dist", { source = "empty", destination = "/e" }]')
    mkdirSync(join(app.path, 'dist'))
    mkdirSync(join(app.path, 'empty/within'), { recursive: true })
    const { components, warnings } = await load(app)
    expect([...components[0]!.fileTree.keys()]).toEqual([])
    expect(warnings.map(({ code }) => code)).toEqual(['no-files', 'no-files'])
  })

  it.each([
    ['files = ["static/*"]', 'Icon\r', 'control character; rename the file, or leave it out'],
    ['files = [{ source = "static", destination = "/" }]', 'a\\b', 'backslash'],
  ])('is an error with its place when its name can’t be kept: %s', async (files, name, reason) => {
    const app = createApp(files)
    app.write(`static/${name}`)
    await expect(load(app)).rejects.toMatchObject({
      code: 'ERR_APP_INVALID',
      message: expect.stringContaining(reason),
    })
  })

  it('is left out by exclude_files before its name counts', async () => {
    const app = createApp('files = ["static/*"]\nexclude_files = ["static/Icon*"]')
    app.write('static/Icon\r')
    app.write('static/a.txt')
    expect(filesOf(await load(app))).toEqual(['static/a.txt'])
  })

  it('may be a name with the characters of a pattern', async () => {
    const app = createApp('files = ["[id].txt"]')
    app.write('[id].txt')
    app.write('i.txt')
    expect(filesOf(await load(app))).toEqual(['[id].txt'])
  })

  it('is missed when it is not there', async () => {
    await expect(load(createApp('files = ["gone.txt"]'))).rejects.toThrow('does not exist')
  })

  it('is not read through a link that leads out', async () => {
    const app = createApp('files = ["leak.txt", "out/*"]')
    writeFileSync(join(dirname(app.path), 'secret'), 'PRIVATE')
    mkdirSync(join(dirname(app.path), 'beside'))
    writeFileSync(join(dirname(app.path), 'beside/secret'), 'PRIVATE')
    symlinkSync('../secret', join(app.path, 'leak.txt'))
    symlinkSync('../beside', join(app.path, 'out'))
    const loaded = await load(app)
    const { fileTree: files } = loaded.components[0]!
    for (const content of files.values())
      await expect(readBounded(content, 100, 'it')).rejects.toMatchObject({
        code: 'ERR_APP_INVALID',
      })
    expect([...files.keys()]).toEqual(['leak.txt'])
  })

  it('is bounded', async () => {
    const app = createApp('files = ["static/*"]')
    for (const name of 'abc') app.write(`static/${name}`, 'xx')
    const folder = await openDirectory(app.path)
    for (const limits of [{ maxFiles: 2 }, { maxBytes: 5 }])
      await expect(loadApp(folder, limits)).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })
})
