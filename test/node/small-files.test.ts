import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSmallFiles, SMALL_BYTES, type SmallFiles } from '../../src/node/files/small-files.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spindle-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Whether a call is done before anything else may happen. */
async function isAtOnce(call: Promise<unknown>): Promise<boolean> {
  let done = false
  void call.then(() => (done = true))
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  const atOnce = done
  await call
  return atOnce
}

/** Files that take a second each, as far as can be told: after a few, threads do it. */
async function slowFiles(): Promise<SmallFiles> {
  let time = 0
  const files = createSmallFiles(() => (time += 1000))
  for (let i = 0; i < 32; i++) await files.has(folder)
  return files
}

for (const [where, make] of [
  ['at once', async () => createSmallFiles()],
  ['in threads', slowFiles],
] as const)
  describe(`small files, ${where}`, () => {
    it('are done there', async () => {
      const files = await make()
      expect(await isAtOnce(files.has(join(folder, 'none')))).toBe(where === 'at once')
    })

    it('are read whole; larger ones are told by their size', async () => {
      const files = await make()
      const path = join(folder, 'read')
      for (const size of [0, 1, SMALL_BYTES]) {
        await writeFile(path, new Uint8Array(size).fill(7))
        const bytes = await files.read(path)
        expect(bytes?.constructor).toBe(Uint8Array)
        expect(bytes).toEqual(new Uint8Array(size).fill(7))
      }
      await writeFile(path, new Uint8Array(SMALL_BYTES + 1))
      expect(await files.read(path)).toBe(SMALL_BYTES + 1)
    })

    it('that are not there, and folders, are nothing', async () => {
      const files = await make()
      const path = join(folder, 'a-file')
      await writeFile(path, '')
      for (const none of [join(folder, 'none'), folder, join(path, 'below-a-file')]) {
        expect(await files.read(none)).toBeUndefined()
        expect(await files.has(none)).toBe(false)
      }
      expect(await files.has(path)).toBe(true)
    })

    it('are written whole, over older ones', async () => {
      const files = await make()
      const path = join(folder, 'written')
      for (const text of ['first', 'second']) {
        await files.write(join(folder, '.new'), path, new TextEncoder().encode(text))
        expect(await readFile(path, 'utf8')).toBe(text)
      }
      expect(await readdir(folder)).not.toContain('.new')
    })

    it('leave nothing behind when they can’t be written', async () => {
      const files = await make()
      const path = join(folder, `taken-${where}`)
      await mkdir(join(path, 'by-a-folder'), { recursive: true })
      await expect(files.write(join(folder, '.new'), path, new Uint8Array(1))).rejects.toThrow()
      expect(await readdir(folder)).not.toContain('.new')
      const missing = join(folder, 'missing', 'file')
      await expect(files.write(missing, missing, new Uint8Array(1))).rejects.toMatchObject({
        code: 'ENOENT',
      })
    })
  })

it('files are tried at once again after a while', async () => {
  const files = await slowFiles()
  for (let i = 0; i < 256; i++) expect(await isAtOnce(files.has(folder))).toBe(false)
  expect(await isAtOnce(files.has(folder))).toBe(true)
})
