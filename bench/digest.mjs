import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Miniflare } from 'miniflare'
import { chromium } from 'playwright'
import { CHROMIUM_FLAGS, findChromium } from '../test/lanes/chromium.mjs'
import { median } from './process.mjs'

const BYTES = 64 * 1024 * 1024
const PIECE = 64 * 1024

const source = `
import { createPortableHasher, digestOf } from './src/bytes/digest.ts'
const bytes = new Uint8Array(${BYTES}).map((_, index) => index & 0xff)
async function pieces(hasher) {
  for (let at = 0; at < bytes.length; at += ${PIECE}) await hasher.update(bytes.subarray(at, at + ${PIECE}))
  return hasher.digest()
}
export const portable = () => pieces(createPortableHasher('sha256'))
export const webcrypto = () => digestOf(bytes)
export async function native(DigestStream) {
  const stream = new DigestStream('SHA-256')
  const writer = stream.getWriter()
  for (let at = 0; at < bytes.length; at += ${PIECE}) await writer.write(bytes.subarray(at, at + ${PIECE}))
  await writer.close()
  return stream.digest
}
`

async function bundle(extra) {
  const { outputFiles } = await build({
    stdin: {
      contents: source + extra,
      resolveDir: fileURLToPath(new URL('..', import.meta.url)),
      loader: 'ts',
    },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
  })
  return outputFiles[0].text
}

let rounds = 5

async function speed(run) {
  await run()
  const times = []
  for (let round = 0; round < rounds; round++) {
    const started = performance.now()
    await run()
    times.push(performance.now() - started)
  }
  return BYTES / 1024 / 1024 / (median(times) / 1000)
}

async function inNode() {
  const text = await bundle('')
  const module = await import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`)
  const bytes = Buffer.alloc(BYTES, 1)
  const native = () => {
    const hash = createHash('sha256')
    for (let at = 0; at < BYTES; at += PIECE) hash.update(bytes.subarray(at, at + PIECE))
    return hash.digest()
  }
  return [await speed(module.portable), await speed(module.webcrypto), await speed(native)]
}

async function inChromium() {
  const script = await bundle(`;globalThis.measured = { portable, webcrypto }`)
  // WebCrypto wants a secure context: loopback is one, about:blank is not.
  const server = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end('<!doctype html>'),
  )
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_FLAGS })
  try {
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${server.address().port}/`)
    await page.addScriptTag({ content: script, type: 'module' })
    await page.waitForFunction(() => 'measured' in globalThis)
    const run = (name) =>
      speed(() => page.evaluate(async (key) => void (await globalThis.measured[key]()), name))
    return [await run('portable'), await run('webcrypto'), undefined]
  } finally {
    await browser.close()
    server.close()
  }
}

async function inWorkerd() {
  // Clocks stand still inside a request, so time is taken outside.
  const script = await bundle(`
const runs = { portable, webcrypto, native: () => native(crypto.DigestStream) }
export default { async fetch(request) { await runs[new URL(request.url).pathname.slice(1)](); return new Response('done') } }`)
  const miniflare = new Miniflare({ modules: true, script, compatibilityDate: '2026-03-01' })
  try {
    const run = (name) =>
      speed(async () => {
        const response = await miniflare.dispatchFetch(`http://bench/${name}`)
        if ((await response.text()) !== 'done')
          throw new Error(`the Worker could not measure ${name}`)
      })
    return [await run('portable'), await run('webcrypto'), await run('native')]
  } finally {
    await miniflare.dispose()
  }
}

/** One row a runtime: the portable streaming hasher, WebCrypto on the whole, the native stream. */
export async function measureDigests(options) {
  rounds = options.rounds
  const missing = []
  const runtimes = [[`Node ${process.versions.node}, node:crypto`, inNode]]
  if (findChromium() === undefined) missing.push('digests in Chromium: none found')
  else runtimes.push(['Chromium', inChromium])
  runtimes.push(['workerd, DigestStream', inWorkerd])
  const rows = []
  for (const [name, run] of runtimes) {
    const [portable, webcrypto, native] = await run()
    const cell = (number) => (number === undefined ? '–' : number.toFixed(0))
    rows.push([
      name,
      cell(portable),
      cell(webcrypto),
      cell(native),
      (portable / (native ?? webcrypto)).toFixed(2),
    ])
  }
  return { rows, missing }
}
