// Bundles the uploader into `dist/`: a folder of static files for any host.
// `node examples/uploader/build.mjs [FOLDER]`
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { buildPage, emptyFolder } from '../page/build-page.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))

/**
 * @param {string} [folder] Is emptied first.
 * @param {import('../page/build-page.mjs').PageOptions} [options]
 */
export async function buildUploader(folder = join(here, 'dist'), options = {}) {
  emptyFolder(folder)
  const source = join(here, 'src')
  const scripts = { main: join(source, 'main.ts') }
  return buildPage({ source, folder, style: 'uploader.css', scripts, options })
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  console.log((await buildUploader(process.argv[2])).folder)
