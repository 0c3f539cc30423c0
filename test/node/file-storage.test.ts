import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createFileStorage } from '../../src/node/storage/file-storage.ts'
import { describeStorage, textAt } from '../serve/storage/contract.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'spindle-storage-'))
  folders.push(folder)
  return folder
}

describeStorage('file', async () => {
  const folder = await createFolder()
  return { storage: createFileStorage(folder), open: () => createFileStorage(folder) }
})

const BYTES = new Uint8Array(3_000_000)

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

describe('a folder as a storage', () => {
  it('has no half file, in no place, after a body that broke', async () => {
    const folder = await createFolder()
    const storage = createFileStorage(folder)
    let sent = 0
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < 4) controller.enqueue(BYTES)
        else controller.error(new Error('cut'))
      },
    })
    await expect(storage.put('key', broken)).rejects.toThrow('cut')
    expect(await filesIn(folder)).toEqual([])
  })

  it('removes what crashed writers left, but only when it is old', async () => {
    const folder = await createFolder()
    const temporary = join(folder, '.spindle', 'temporary')
    await mkdir(temporary, { recursive: true })
    await writeFile(join(temporary, 'old'), 'half')
    await writeFile(join(temporary, 'young'), 'half')
    await utimes(join(temporary, 'old'), 1, 1)
    await createFileStorage(folder).put('key', new Uint8Array(1))
    expect(await readdir(temporary)).toEqual(['young'])
  })

  it('puts into a folder that others remove for being empty, again and again', async () => {
    const storage = createFileStorage(await createFolder())
    const writer = async (name: number): Promise<void> => {
      for (let i = 0; i < 150; i++) {
        await storage.put(`pending/${name}-${i}`, new Uint8Array(1), { ifAbsent: name % 2 === 0 })
        await storage.delete(`pending/${name}-${i}`)
      }
    }
    await Promise.all(Array.from({ length: 12 }, (_, name) => writer(name)))
    expect(await storage.list('')).toEqual({ entries: [], more: false })
  })

  it('does not wait for a lock whose process is gone', async () => {
    const folder = await createFolder()
    const storage = createFileStorage(folder)
    await storage.put('key', new Uint8Array(1))
    const lock = join(
      folder,
      '.spindle',
      'locks',
      createHash('sha256').update('key').digest('hex').slice(0, 32),
    )
    const { pid } = spawnSync(process.execPath, ['-e', '0'])
    await writeFile(lock, `${pid} ${hostname()} token`)
    await utimes(lock, Date.now() / 1000 - 2, Date.now() / 1000 - 2)
    // Time stands still: the lock never gets as old as one must be whose process may live.
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    expect(await storage.put('key', new Uint8Array(2))).toMatchObject({ stored: true })
    expect(await readdir(join(folder, '.spindle', 'locks'))).toEqual([])
  })

  it('opens no more files than it was allowed to, however many bodies wait', async () => {
    const folder = await createFolder()
    const storage = createFileStorage(folder, { maxOpenFiles: 2 })
    await storage.put('large', BYTES)
    const openNow = async (): Promise<number> =>
      (await readdir('/proc/self/fd').catch(() => [])).length
    const before = await openNow()
    const readers = await Promise.all(
      Array.from({ length: 50 }, async () => (await storage.get('large'))!.body.getReader()),
    )
    await Promise.all(readers.map((reader) => reader.read()))
    expect(await openNow()).toBeLessThanOrEqual(before + 2)
    for (const reader of readers) await reader.cancel()
  })

  it('says that a value was replaced while it was read, instead of mixing two', async () => {
    const storage = createFileStorage(await createFolder())
    await storage.put('key', BYTES)
    const reader = (await storage.get('key'))!.body.getReader()
    await reader.read()
    await storage.put(
      'key',
      BYTES.map(() => 1),
    )
    await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_CONFLICT' })
  })

  it('leaves foreign files alone and does not list them', async () => {
    const folder = await createFolder()
    await writeFile(join(folder, 'notes.txt'), 'mine')
    await mkdir(join(folder, 'Folder'))
    const storage = createFileStorage(folder)
    await storage.put('key', new Uint8Array(1))
    await storage.delete('key')
    expect(await storage.list('')).toEqual({ entries: [], more: false })
    expect(await filesIn(folder)).toEqual(['notes.txt'])
  })

  it('agrees between processes on who was first', { timeout: 20_000 }, async () => {
    const folder = await createFolder()
    const module = await build({
      entryPoints: ['src/node/storage/file-storage.ts'],
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
    })
    const script = join(folder, 'race.mjs')
    await writeFile(
      script,
      `${module.outputFiles[0]!.text}
      const storage = createFileStorage(process.argv[2])
      let won = 0
      for (let i = 0; i < 20; i++) if ((await storage.put('once/' + i, new Uint8Array(1), { ifAbsent: true })).stored) won++
      for (let i = 0; i < 10; ) {
        const value = await storage.get('counter')
        const text = await new Response(value.body).text()
        if ((await storage.put('counter', new TextEncoder().encode(String(Number(text) + 1)), { ifMatch: value.etag })).stored) i++
      }
      console.log(won)`,
    )
    const place = join(folder, 'storage')
    await createFileStorage(place).put('counter', new TextEncoder().encode('0'))
    const run = promisify(execFile)
    const outputs = await Promise.all([1, 2, 3].map(() => run(process.execPath, [script, place])))
    expect(outputs.reduce((sum, { stdout }) => sum + Number(stdout), 0)).toBe(20)
    expect(await textAt(createFileStorage(place), 'counter')).toBe('30')
  })
})
