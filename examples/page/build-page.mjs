import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = fileURLToPath(new URL('.', import.meta.url))

/**
 * What a page is told by the `<meta>` that it is built with. All of it may be left out.
 *
 * @typedef {object} PageOptions
 * @property {string} [relay] Where a relay is, as `/relay`.
 * @property {readonly string[]} [relayed] Registries that it goes to.
 * @property {string} [playground] Where the playground is.
 * @property {string} [uploader] Where the uploader is.
 * @property {readonly string[]} [preview] Origins of applications' pages, as `https://*.play.example`
 *   for a page at `https://play.example`: the first whose name is the page's counts.
 * @property {string} [trusted-root] Where the page finds the trusted root of a Sigstore of its own.
 */

/** Scripts and the rest of them: what is imported only when it is needed becomes a file of its own. */
/** @satisfies {import('esbuild').BuildOptions} */
export const SCRIPTS = /** @type {const} */ ({
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  loader: { '.wasm': 'binary', '.toml': 'text', '.html': 'text', '.css': 'text', '.svg': 'text' },
  tsconfig: join(here, '..', 'tsconfig.json'),
  logLevel: 'error',
})

/** @param {string} folder */
export function emptyFolder(folder) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
}

/**
 * A page with its scripts and style, into a folder that is there.
 *
 * @param {{ source: string, folder: string, style: string, scripts: Record<string, string>, options: PageOptions }} page
 */
export async function buildPage({ source, folder, style, scripts, options }) {
  const { metafile } = await build({
    ...SCRIPTS,
    entryPoints: scripts,
    outdir: folder,
    metafile: true,
  })
  await build({
    entryPoints: [join(source, style)],
    outdir: folder,
    bundle: true,
    minify: true,
    logLevel: 'error',
  })
  copyFileSync(join(here, 'icon.svg'), join(folder, 'icon.svg'))
  const html = readFileSync(join(source, 'index.html'), 'utf8')
    .replace('%FRAMES%', escape(options.preview?.join(' ') ?? "'none'"))
    .replace('%CONFIG%', Object.entries(options).map(metaOf).join('\n    '))
  writeFileSync(join(folder, 'index.html'), html)
  return { folder, metafile }
}

function metaOf([name, value]) {
  const text = Array.isArray(value) ? value.join(' ') : value
  return `<meta name="spindle-${name}" content="${escape(text)}" />`
}

function escape(text) {
  if (/[\s;,]/.test(text.replaceAll(' ', ''))) throw new TypeError(`not for a page: ${text}`)
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
