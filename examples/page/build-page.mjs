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
  // Licences stand beside the scripts: nobody waits for a kilobyte of them.
  legalComments: 'linked',
  loader: { '.wasm': 'binary', '.toml': 'text', '.html': 'text', '.css': 'text', '.svg': 'text' },
  tsconfig: join(here, '..', 'tsconfig.json'),
  logLevel: 'error',
})

/** @param {string} folder */
export function emptyFolder(folder) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
}

/** What every page may load and reach: registries are where somebody says. */
const POLICY = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self'",
  'connect-src': "'self' https: http://localhost:* http://127.0.0.1:*",
  'base-uri': "'none'",
  'form-action': "'none'",
  'require-trusted-types-for': "'script'",
}

/**
 * A page with its scripts and style, into a folder that is there.
 *
 * @param {{ source: string, folder: string, style: string, scripts: Record<string, string>, options: PageOptions, policy?: Record<string, string> }} page
 *   `policy`: what this page may do beyond all pages.
 */
export async function buildPage({ source, folder, style, scripts, options, policy = {} }) {
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
  const directives = Object.entries({ ...POLICY, ...policy }).map((pair) => pair.join(' '))
  const head = [
    '<meta charset="utf-8" />',
    '<meta name="viewport" content="width=device-width, initial-scale=1" />',
    '<meta name="color-scheme" content="light dark" />',
    '<meta name="referrer" content="no-referrer" />',
    `<meta http-equiv="Content-Security-Policy" content="${directives.join('; ')}" />`,
    ...Object.entries(options).map(metaOf),
    '<link rel="icon" href="icon.svg" />',
    `<link rel="stylesheet" href="${style}" />`,
    '<script type="module" src="main.js"></script>',
  ]
  // Indentation is for who reads the source.
  const html = readFileSync(join(source, 'index.html'), 'utf8').replaceAll(/\n\s+/g, '\n')
  writeFileSync(
    join(folder, 'index.html'),
    html.replace('%HEAD%', () => head.join('\n')),
  )
  return { folder, metafile }
}

function metaOf([name, value]) {
  const text = Array.isArray(value) ? value.join(' ') : value
  return `<meta name="spindle-${name}" content="${escape(text)}" />`
}

/** @param {string} text */
export function escape(text) {
  if (/[\s;,]/.test(text.replaceAll(' ', ''))) throw new TypeError(`not for a page: ${text}`)
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
