import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { forEachBounded } from '../../src/bytes/concurrency.ts'
import { readBounded } from '../../src/bytes/stream.ts'
import { readDirectory } from '../../src/node/files/directory.ts'
import type { Content, FileTree } from '../../src/types.ts'

const outside = mkdtempSync(join(tmpdir(), 'spindle-directory-'))
const root = join(outside, 'app')
afterAll(() => rmSync(outside, { recursive: true }))

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

async function textOf(tree: FileTree, path: string): Promise<string> {
  return Buffer.from(await readBounded(tree.get(path) as Content, 1e6, path)).toString()
}

const openHandles = (): number => readdirSync('/proc/self/fd').length

describe('readDirectory', () => {
  beforeAll(() => {
    write('spin.toml', 'toml')
    write('static/deep/ünï.txt', 'deep')
    write('.git/config', 'git')
    write('empty', '')
    writeFileSync(join(outside, 'secret'), 'secret')
    symlinkSync('static/deep', join(root, 'shortcut'))
    symlinkSync('../spin.toml', join(root, 'static/linked.toml'))
    symlinkSync('../secret', join(root, 'leak'))
    symlinkSync('/etc', join(root, 'etc'))
    symlinkSync('nowhere', join(root, 'broken'))
    symlinkSync('..', join(root, 'static/loop'))
    symlinkSync('self', join(root, 'self'))
  })

  test('lists everything, sorted, through links that stay inside', async () => {
    const tree = await readDirectory(root)
    expect([...tree.keys()]).toEqual([
      '.git/config',
      'broken',
      'empty',
      'etc',
      'leak',
      'self',
      'shortcut/ünï.txt',
      'spin.toml',
      'static/deep/ünï.txt',
      'static/linked.toml',
      'static/loop',
    ])
    expect(await textOf(tree, 'shortcut/ünï.txt')).toBe('deep')
    expect(await textOf(tree, 'static/linked.toml')).toBe('toml')
    expect(await textOf(tree, 'empty')).toBe('')
  })

  test.each(['leak', 'etc', 'broken', 'self', 'static/loop'])(
    'refuses the link %s only once it is read',
    async (path) => {
      await expect(textOf(await readDirectory(root), path)).rejects.toMatchObject({
        code: 'ERR_APP_INVALID',
      })
    },
  )

  test('notices a file that has changed since', async () => {
    for (const change of [
      () => appendFileSync(join(root, 'changing'), 'more'),
      () => writeFileSync(join(root, 'changing'), 'le'),
      () => {
        writeFileSync(join(root, 'changing'), 'others')
        utimesSync(join(root, 'changing'), 1, 1)
      },
    ]) {
      write('changing', 'before')
      const tree = await readDirectory(root)
      change()
      await expect(textOf(tree, 'changing')).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' })
    }
    unlinkSync(join(root, 'changing'))
  })

  test('says that a file is gone', async () => {
    write('going', 'x')
    const tree = await readDirectory(root)
    unlinkSync(join(root, 'going'))
    await expect(textOf(tree, 'going')).rejects.toMatchObject({ code: 'ERR_FILE_MISSING' })
  })

  test('closes a file that is read to its end, or not', async () => {
    write('large', 'x'.repeat(1_000_000))
    const tree = await readDirectory(root)
    const before = openHandles()
    for (let i = 0; i < 20; i++) {
      const reader = (tree.get('large') as Content).stream().getReader()
      await reader.read()
      await reader.cancel()
      await readBounded(tree.get('large') as Content, 1e7, 'it')
    }
    expect(openHandles()).toBeLessThanOrEqual(before)
    unlinkSync(join(root, 'large'))
  })

  test('has ten thousand files with few handles open', async () => {
    const many = join(outside, 'many')
    for (let folder = 0; folder < 100; folder++) {
      mkdirSync(join(many, `${folder}`), { recursive: true })
      for (let file = 0; file < 100; file++)
        writeFileSync(join(many, `${folder}/${file}`), `${folder}/${file}`)
    }
    const before = openHandles()
    let most = 0
    const watch = setInterval(() => (most = Math.max(most, openHandles())), 1)
    const tree = await readDirectory(many)
    await forEachBounded(tree, 32, async ([path, content]) => {
      const text = Buffer.from(await readBounded(content, 100, path)).toString()
      if (text !== path) throw new Error(`${path} has ${text}`)
    })
    clearInterval(watch)
    expect(tree.size).toBe(10_000)
    expect(most - before).toBeLessThan(64)
    expect(openHandles()).toBeLessThanOrEqual(before)
  }, 30_000)

  test('bounds the number of files', async () => {
    await expect(readDirectory(root, { maxFiles: 3 })).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
  })

  test('says what is no folder', async () => {
    await expect(readDirectory(join(root, 'spin.toml'))).rejects.toMatchObject({
      code: 'ERR_FILE_MISSING',
    })
    await expect(readDirectory(join(root, 'not-there'))).rejects.toMatchObject({
      code: 'ERR_FILE_MISSING',
    })
  })

  test('says that a folder may not be read', async () => {
    mkdirSync(join(root, 'closed'))
    chmodSync(outside, 0o755)
    chmodSync(join(root, 'closed'), 0)
    // Root may read everything, so for a moment the process is nobody.
    const isRoot = process.geteuid?.() === 0
    if (isRoot) process.seteuid?.(65534)
    try {
      await expect(readDirectory(root)).rejects.toThrow('permission denied')
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
    rmSync(join(root, 'closed'), { recursive: true })
  })

  test('rejects with the reason of an abort', async () => {
    const reason = new Error('stop')
    await expect(readDirectory(root, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
