import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { assert } from './telling.mjs'

/** Does `work` in a folder that is gone afterwards. */
export async function inFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'spindle-demo-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Writes what was pulled into an empty folder. */
export async function writeOut(pulled, folder) {
  for (const { id } of pulled.locked.components) {
    await writeFile(join(folder, `${id}.wasm`), await pulled.component(id))
    for (const [path, content] of await pulled.files(id)) {
      const target = join(folder, 'assets', id, path)
      await mkdir(dirname(target), { recursive: true })
      await writeFile(target, content)
    }
  }
}

/** What was written, against what the application was made of. */
export async function compare(app, folder) {
  const seen = { files: 0, bytes: 0 }
  const same = async (path, content) => {
    const expected = Buffer.from(await new Response(content.stream?.() ?? content).arrayBuffer())
    const actual = await readFile(join(folder, path))
    assert(actual.equals(expected), `${path} came back different`)
    seen.files++
    seen.bytes += actual.length
  }
  for (const { id, wasmContent, fileTree } of app.components) {
    await same(`${id}.wasm`, wasmContent)
    for (const [path, content] of fileTree) await same(join('assets', id, path), content)
  }
  const written = readdirSync(folder, { recursive: true, withFileTypes: true })
  const count = written.filter((entry) => entry.isFile()).length
  assert(count === seen.files, `${count} files came back, not ${seen.files}`)
  return `${seen.files} files, ${seen.bytes} bytes: all the same`
}
