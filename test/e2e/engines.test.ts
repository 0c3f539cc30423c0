// One application through six engines: Firefox pushes it, Bun signs it, WebKit verifies it, Deno copies
// it, workerd runs it, and Node compares the bytes.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Miniflare } from 'miniflare'
import { firefox } from 'playwright'
import { afterAll, describe, expect, it } from 'vitest'
import { listen } from '../../src/node/listen/listen.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import {
  formatPrivateKey,
  formatPublicKey,
  generateKeyPair,
} from '../../src/trust/keys/private-key.ts'
import { createSession } from '../cli/session.ts'
import { deployWorker } from '../fixtures/deploy-worker.ts'
import { findFirefox, firefoxLaunch } from '../lanes/firefox.mjs'
import { bun, deno } from '../lanes/lanes.mjs'
import { findWebKit, startWebKit } from '../lanes/webkit.mjs'
import { bundle } from '../packaging/bundle.mjs'
import { notBuilt, root } from '../packaging/installed.ts'

/** What the pages run, over the package as it is built. */
const IN_PAGE = `
import { loadApp } from 'spindle/app'
import { push } from 'spindle/push'
import { verify } from 'spindle/verify'
globalThis.pushFiles = async (files, to) => {
  const bytes = ([path, base64]) => [path, Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))]
  const { descriptor } = await push(await loadApp(new Map(files.map(bytes))), to)
  return descriptor.digest
}
globalThis.verifyKey = async (at, key) => {
  const { descriptor } = await verify(at, { key, requireTransparencyLog: false })
  return descriptor.digest
}
`

const MANIFEST = `spin_manifest_version = 2
[application]
name = "travelling"
version = "1.0.0"
[variables]
greeting = { default = "Hello" }
[[trigger.http]]
route = "/..."
component = "hello"
[[trigger.http]]
route = "/hello/:name"
component = "hello"
[component.hello]
source = "hello.wasm"
files = ["robots.txt"]
[component.hello.variables]
greeting = "{{ greeting }}"
`

const missing = [
  [notBuilt === undefined, 'the build'],
  [findFirefox() !== undefined, 'Firefox'],
  [findWebKit() !== undefined, 'WebKitGTK'],
  [bun !== undefined, 'Bun'],
  [deno !== undefined, 'Deno'],
].flatMap(([isThere, what]) => (isThere === true ? [] : [what]))

if (missing.length > 0)
  console.warn(`left out: one application in six engines, without ${missing.join(', ')}`)

describe.skipIf(missing.length > 0)('an application', { timeout: 180_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'spindle-engines-'))
  const closing: (() => Promise<unknown>)[] = []
  afterAll(async () => {
    for (const close of closing.reverse()) await close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('keeps its digest and its signature on the way through Firefox, Bun, WebKit, Deno and workerd', async () => {
    const registry = createRegistryHandler()
    const { text } = await bundle(IN_PAGE)
    const server = await listen({
      fetch: async (request) => {
        const { pathname } = new URL(request.url)
        if (pathname === '/page')
          return new Response('<script type="module" src="/page.js"></script>', {
            headers: { 'content-type': 'text/html' },
          })
        return pathname === '/page.js'
          ? new Response(text, { headers: { 'content-type': 'text/javascript' } })
          : registry.fetch(request)
      },
    })
    closing.push(() => server.close())
    const { host } = new URL(server.url)
    const page = `http://${host}/page`
    const [pushedTo, copiedTo] = [`${host}/team/travelling:1`, `${host}/other/travelling:1`]
    const pair = await generateKeyPair()
    const publicKey = await formatPublicKey(pair.publicKey)

    const browser = await firefox.launch(firefoxLaunch())
    closing.push(() => browser.close())
    const inFirefox = await browser.newPage()
    await inFirefox.goto(page)
    const files = [
      ['spin.toml', btoa(MANIFEST)],
      ['hello.wasm', readFileSync(join(root, 'examples/hello/hello.wasm'), 'base64')],
      ['robots.txt', btoa('User-agent: *\n'.repeat(20))],
    ]
    const pushed = await inFirefox.evaluate(
      ([given, to]) =>
        (
          globalThis as unknown as { pushFiles(files: unknown, to: unknown): Promise<string> }
        ).pushFiles(given, to),
      [files, pushedTo] as const,
    )

    writeFileSync(join(folder, 'key.pem'), await formatPrivateKey(pair.privateKey))
    writeFileSync(join(folder, 'key.pub'), publicKey)
    const program = join(folder, 'sign.mjs')
    writeFileSync(
      program,
      `import { readFileSync } from 'node:fs'
       import { createKeySigner, sign } from ${JSON.stringify(join(root, 'dist/index.js'))}
       const key = readFileSync(${JSON.stringify(join(folder, 'key.pem'))}, 'utf8')
       await sign(${JSON.stringify(pushedTo)}, await createKeySigner(key), { attach: 'both' })`,
    )
    await promisify(execFile)(bun as string, [program])

    const webkit = await startWebKit()
    closing.push(() => webkit.close())
    await webkit.driver.get(page)
    await webkit.driver.manage().setTimeouts({ script: 30_000 })
    const verified = await webkit.driver.executeAsyncScript<string>(
      `const [at, key, done] = arguments
       verifyKey(at, key).then(done, (error) => done(String(error)))`,
      pushedTo,
      publicKey,
    )

    const { stdout } = await promisify(execFile)(deno as string, [
      ...['run', '-A', join(root, 'dist/cli.js'), 'registry', 'copy', pushedTo, copiedTo],
      ...[
        '--referrers',
        '--verify-key',
        join(folder, 'key.pub'),
        '--insecure-ignore-tlog',
        '--json',
      ],
    ])
    const { descriptor } = JSON.parse(stdout) as { descriptor: { digest: string } }

    const session = createSession((request) => fetch(request))
    const built = await session.run('build-worker', copiedTo, '-o', 'worker')
    expect([built.code, built.stderr]).toEqual([0, expect.any(String)])
    const worker: Miniflare = deployWorker(session.path('worker'), {
      SPIN_VARIABLE_GREETING: 'Ahoj',
    })
    closing.push(() => worker.dispose())
    const answer = await worker.dispatchFetch('http://app.example/hello/you')

    const manifest = async (name: string): Promise<string> =>
      (await fetch(`http://${host}/v2/${name}/travelling/manifests/1`)).text()
    expect({ verified, copied: descriptor.digest, answer: await answer.text() }).toEqual({
      verified: pushed,
      copied: pushed,
      answer: expect.stringContaining('Ahoj, you!'),
    })
    expect(await manifest('other')).toBe(await manifest('team'))
  })
})
