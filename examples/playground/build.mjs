// Bundles the playground into two folders of static files: `page` for its own origin, `preview` for
// those of the applications that it shows.
// `node examples/playground/build.mjs --preview 'https://*.play.example' [--relay URL] [FOLDER]`
import { createHash } from 'node:crypto'
import { copyFileSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { buildPage, emptyFolder, escape, SCRIPTS } from '../page/build-page.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const TRUSTED_ROOT = 'trusted-root.json'

/**
 * @param {string} folder Is emptied first.
 * @param {import('../page/build-page.mjs').PageOptions} options
 * @param {string} [trustedRoot] Path of a trusted root in JSON, for identities of another Sigstore.
 */
export async function buildPlayground(folder, options, trustedRoot) {
  const source = join(here, 'src')
  const page = join(folder, 'page')
  const preview = join(folder, 'preview')
  emptyFolder(page)
  emptyFolder(preview)
  await build({
    ...SCRIPTS,
    // Names that stand in `preview/paths.ts`; a Service Worker is one file.
    splitting: false,
    entryPoints: {
      'spindle-preview': join(source, 'preview', 'bridge.ts'),
      'spindle-preview-service-worker': join(source, 'preview', 'service-worker.ts'),
    },
    outdir: preview,
  })
  for (const name of ['spindle-preview.html', 'spindle-preview-empty.html'])
    copyFileSync(join(source, 'preview', name), join(preview, name))
  const scripts = {
    main: join(source, 'main.ts'),
    'guest-worker': join(source, 'guest-worker.ts'),
  }
  if (trustedRoot !== undefined) copyFileSync(trustedRoot, join(page, TRUSTED_ROOT))
  const built = await buildPage({
    source,
    folder: page,
    style: 'playground.css',
    scripts,
    options: { ...options, ...(trustedRoot !== undefined && { 'trusted-root': TRUSTED_ROOT }) },
    policy: {
      'script-src': "'self' 'wasm-unsafe-eval'",
      'worker-src': "'self'",
      'frame-src': escape(options.preview?.join(' ') ?? "'none'"),
      'trusted-types': 'spindle-worker',
    },
  })
  const files = readdirSync(page)
  const hash = createHash('sha256')
  for (const name of files) hash.update(readFileSync(join(page, name)))
  await build({
    ...SCRIPTS,
    splitting: false,
    entryPoints: { 'service-worker': join(source, 'service-worker.ts') },
    define: {
      FILES: JSON.stringify(files.filter((name) => name !== 'index.html')),
      VERSION: JSON.stringify(hash.digest('hex').slice(0, 16)),
    },
    outdir: page,
  })
  return { page, preview, metafile: built.metafile }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values, positionals } = parseArgs({
    options: {
      preview: { type: 'string' },
      relay: { type: 'string' },
      relayed: { type: 'string' },
      'trusted-root': { type: 'string' },
    },
    allowPositionals: true,
  })
  if (values.preview === undefined) {
    console.error(
      "usage: node build.mjs --preview 'https://*.play.example' [--relay URL --relayed HOST,HOST] [--trusted-root FILE] [FOLDER]",
    )
    process.exit(2)
  }
  const { relayed, relay, preview } = values
  const options = {
    preview: preview.split(','),
    ...(relay !== undefined && { relay }),
    ...(relayed !== undefined && { relayed: relayed.split(',') }),
  }
  const folder = positionals[0] ?? join(here, 'dist')
  const built = await buildPlayground(folder, options, values['trusted-root'])
  console.log(`${built.page}\n${built.preview}`)
}
