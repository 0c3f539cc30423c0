import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { build } from 'esbuild'
import { chromium } from 'playwright'
import { CHROMIUM_FLAGS } from '../test/lanes/chromium.mjs'

/** A page for each measurement, in a browser that has it loaded before. */
export async function openComponentPage(root, executablePath) {
  const jco = join(root, 'node_modules/@bytecodealliance/jco-transpile')
  const { outputFiles } = await build({
    entryPoints: [join(root, 'bench/sides/component-page.mjs')],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'esnext',
    write: false,
    alias: {
      // The first that takes requests in a page.
      '@bytecodealliance/preview2-shim': 'preview2-shim-web',
      'jco-constants': join(jco, 'dist/constants.js'),
    },
    nodePaths: [join(root, 'bench/node_modules')],
    external: ['node:*'],
    logLevel: 'error',
  })
  const server = createServer(({ url = '/' }, response) => {
    const send = (type, body) => response.writeHead(200, { 'content-type': type }).end(body)
    if (url === '/page.js') return send('text/javascript', outputFiles[0].contents)
    if (url.startsWith('/guest/'))
      return send('application/wasm', readFileSync(decodeURIComponent(url.slice(7))))
    // The generator looks for its own modules beside itself.
    if (url.endsWith('.wasm'))
      return send('application/wasm', readFileSync(join(jco, 'vendor', url)))
    send('text/html', '<!doctype html><script type="module" src="/page.js"></script>')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${server.address().port}`
  const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS })
  return {
    version: browser.version(),
    async measure(name, guest, path, count) {
      const page = await browser.newPage()
      try {
        await page.goto(origin)
        await page.waitForFunction(() => 'measure' in globalThis)
        return await page.evaluate(
          (given) => globalThis.measure(...given),
          [name, `/guest/${encodeURIComponent(guest)}`, path, count],
        )
      } finally {
        await page.close()
      }
    },
    async close() {
      await browser.close()
      server.close()
    },
  }
}
