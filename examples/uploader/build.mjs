// Bundles the uploader into `dist/`: a folder of static files for any host.
// `node examples/uploader/build.mjs [FOLDER]`
import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const here = fileURLToPath(new URL('.', import.meta.url))

/** @param {string} [folder] Is emptied first. */
export async function buildUploader(folder = join(here, 'dist')) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const { metafile } = await build({
    entryPoints: [join(here, 'src', 'main.ts'), join(here, 'src', 'uploader.css')],
    outdir: folder,
    bundle: true,
    // What the first look needs comes first; signing, the demo registry and the sample follow.
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    loader: { '.wasm': 'binary', '.toml': 'text', '.html': 'text' },
    tsconfig: join(here, 'tsconfig.json'),
    metafile: true,
    logLevel: 'error',
  })
  for (const name of ['index.html', 'icon.svg'])
    copyFileSync(join(here, 'src', name), join(folder, name))
  return { folder, metafile }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  console.log((await buildUploader(process.argv[2])).folder)
