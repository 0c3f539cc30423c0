import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { bytesOfFile } from '../run/fixtures.ts'
import { start, textOf } from './running.ts'
import { createSession } from './session.ts'

const hello = fileURLToPath(new URL('../../examples/hello', import.meta.url))
const REF = 'localhost:5000/team/hello:1'

describe('up', () => {
  it("runs a folder's application, says Spin's lines, and ends with 0", async () => {
    const session = createSession()
    const up = await start(session, 'up', '-f', hello, '--variable', 'greeting=Moin')
    expect(await textOf(`${up.url}/hello/Ann`)).toContain('Moin')
    expect((await fetch(`${up.url}/static/style.css`)).status).toBe(200)
    const { code, stdout } = await up.stop()
    expect(code).toBe(0)
    expect(stdout).toBe(
      `Serving ${up.url}\nAvailable Routes:\n  hello: ${up.url} (wildcard)\n  hello: ${up.url}/hello/:name\n`,
    )
  })

  it('gives a request as much time as it takes with --timeout 0', async () => {
    const up = await start(createSession(), 'up', '-f', hello, '--timeout', '0')
    expect(await textOf(`${up.url}/hello/Ann`)).toContain('Hello')
    await up.stop()
  })

  it('runs what a registry has, from a reference alone', async () => {
    const { fetch } = createRegistryHandler({ storage: createMemoryStorage() })
    const session = createSession(fetch)
    await session.run('registry', 'push', '-f', hello, REF)
    for (const args of [
      ['up', '--from', REF],
      ['up', '--from-registry', REF],
      ['registry', 'run', REF],
    ]) {
      const up = await start(session, ...args)
      expect(await textOf(`${up.url}/hello/Ann`)).toContain('Hello')
      expect(await textOf(`${up.url}/.well-known/spin/info`)).toContain('sha256:')
      await up.stop()
    }
  })

  it('takes variables from flags, files, the environment and .env, in that order', async () => {
    const session = createSession()
    cpSync(hello, session.path('app'), { recursive: true })
    const greeting = async (...args: string[]): Promise<string> => {
      const up = await start(session, 'up', '-f', session.path('app'), ...args)
      const text = await textOf(`${up.url}/hello/Ann`)
      await up.stop()
      return text
    }
    session.write('app/.env', 'SPIN_VARIABLE_GREETING=Dot\n')
    expect(await greeting()).toContain('Dot')
    session.env['SPIN_VARIABLE_GREETING'] = 'Env'
    expect(await greeting()).toContain('Env')
    session.write('values.toml', 'greeting = "Toml"\n')
    expect(await greeting('--variable', `@${session.path('values.toml')}`)).toContain('Toml')
    session.write('values.json', { greeting: 'Json' })
    expect(await greeting('--variable', `@${session.path('values.json')}`)).toContain('Json')
    session.write('value', 'File')
    expect(await greeting('--variable', `greeting=@${session.path('value')}`)).toContain('File')
  })

  it('reads .env only when a variable has no value, and then says which line is wrong', async () => {
    const session = createSession()
    cpSync(hello, session.path('app'), { recursive: true })
    session.write('app/.env', 'OTHER=1\ns3cret\n')
    const { code, stderr } = await session.run('up', '-f', session.path('app'))
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('.env:2: expected KEY=VALUE'),
    })
    expect(stderr).not.toContain('s3cret')
    const given = ['--variable', 'greeting=Moin']
    const up = await start(session, 'up', '-f', session.path('app'), ...given)
    expect(await textOf(`${up.url}/hello/Ann`)).toContain('Moin')
    await up.stop()
  })

  it('says which variables the application does not declare, and runs it as Spin does', async () => {
    const { fetch } = createRegistryHandler({ storage: createMemoryStorage() })
    const session = createSession(fetch)
    await session.run('registry', 'push', '-f', hello, REF)
    session.write('values.json', { of_others: 'x' })
    const variables = ['greetng=Moin', 'greeting=Moin', 'greetng=x', '@values.json']
    const flags = variables.flatMap((text) => ['--variable', text])
    for (const args of [
      ['up', '-f', hello],
      ['registry', 'run', REF],
    ]) {
      const up = await start(session, ...args, ...flags)
      expect(await textOf(`${up.url}/hello/Ann`)).toContain('Moin')
      const { code, stderr } = await up.stop()
      expect(code).toBe(0)
      expect(stderr.split('\n').filter((line) => line.startsWith('warning:'))).toEqual([
        'warning: the application declares no variable "greetng"; it declares greeting',
      ])
    }
    const lone = await start(session, 'up', '--from', join(hello, 'hello.wasm'), ...flags)
    expect((await lone.stop()).stderr).toContain('no variable "greeting"; it declares none')
  })

  it('builds once, however it was asked to, and not again when files change', async () => {
    for (const [variable, flags] of [
      ['', ['--build']],
      ['1', []],
    ] as const) {
      const session = createSession()
      session.env['SPIN_ALWAYS_BUILD'] = variable
      cpSync(hello, session.path('app'), { recursive: true })
      const manifest = session.path('app/spin.toml')
      const original = readFileSync(manifest, 'utf8').replace(
        /^command = .*/m,
        'command = "echo built >> ../builds"',
      )
      writeFileSync(manifest, original)
      const up = await start(session, 'up', '-f', session.path('app'), ...flags)
      writeFileSync(manifest, original.replace('default = "Hello"', 'default = "Changed"'))
      await expect
        .poll(() => textOf(`${up.url}/hello/Ann`), { timeout: 10_000, interval: 100 })
        .toContain('Changed')
      await up.stop()
      expect(readFileSync(session.path('builds'), 'utf8')).toBe('built\n')
    }
  })

  it('starts a local application anew when its files change, and keeps it when they break', async () => {
    const session = createSession()
    cpSync(hello, session.path('app'), { recursive: true })
    const up = await start(session, 'up', '-f', session.path('app'))
    const manifest = session.path('app/spin.toml')
    const original = readFileSync(manifest, 'utf8')
    writeFileSync(manifest, original.replace('default = "Hello"', 'default = "Changed"'))
    await expect
      .poll(() => textOf(`${up.url}/hello/Ann`), { timeout: 10_000, interval: 100 })
      .toContain('Changed')
    writeFileSync(manifest, 'this is no manifest')
    await new Promise((done) => setTimeout(done, 800))
    expect(await textOf(`${up.url}/hello/Ann`)).toContain('Changed')
    const { stderr } = await up.stop()
    expect(stderr).toContain('restarting it')
    expect(stderr).toContain('keeps running')
  }, 20_000)

  it('answers to the host names of loopback, and to those that it is told', async () => {
    const statusAs = (host: string, url: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        get(`${url}/hello/Ann`, { headers: { host } }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode))
        }).once('error', reject)
      })
    const up = await start(createSession(), 'up', '-f', hello, '--allow-host', 'shop.test')
    for (const host of ['localhost:3000', 'shop.localhost', 'shop.test:3000'])
      expect(await statusAs(host, up.url)).toBe(200)
    expect(await statusAs('evil.example', up.url)).toBe(421)
    await up.stop()
  })

  it('runs a lone .wasm file', async () => {
    const up = await start(createSession(), 'up', '--from', join(hello, 'hello.wasm'))
    expect(up.lines()).toContain('hello: http://')
    expect((await fetch(`${up.url}/nowhere`)).status).toBeLessThan(600)
    expect((await up.stop()).code).toBe(0)
  })

  it.each([
    [['up', '--from', 'misspelt'], 1, "File or directory 'misspelt' not found."],
    [['up', '--from', hello, '--bindle', 'a/1.0.0'], 2, 'give only one of'],
    [['up', '--from', hello, '--verify-key', 'k.pub'], 1, 'k.pub'],
    [['up', '--from', hello, '-c', 'nobody'], 1, 'it has hello'],
    [['up', '--bindle', 'a/1.0.0'], 2, '--bindle-server'],
    [['up', '--timeout', 'long'], 2, 'Write seconds'],
    [['up', '--max-memory', 'much'], 2, 'Write a number of bytes'],
    [['up', '--variable', 'x'], 2, 'KEY=VALUE'],
    [['up', '--from', hello, '-a', 'x=y'], 2, 'name the required signer'],
  ])('%j ends with %d and says %s', async (args, code, message) => {
    const result = await createSession().run(...args)
    expect(result).toMatchObject({ code, stdout: '' })
    expect(result.stderr).toContain(message)
  })

  it('says which variable of the environment is no address, before it starts anything', async () => {
    const session = createSession()
    session.env['SPIN_HTTP_LISTEN_ADDR'] = 'nonsense'
    const result = await session.run('up', '--from', hello)
    expect(result).toMatchObject({ code: 2, stdout: '' })
    expect(result.stderr).toContain('SPIN_HTTP_LISTEN_ADDR: Write HOST:PORT')
  })

  it('has nothing to serve of an application without an http trigger', async () => {
    const session = createSession()
    cpSync(join(hello, 'hello.wasm'), session.path('app/hello.wasm'))
    session.write(
      'app/spin.toml',
      `spin_manifest_version = 2
[application]
name = "listens"
[[trigger.redis]]
channel = "news"
component = "hello"
[component.hello]
source = "hello.wasm"
`,
    )
    for (const args of [
      ['up', '--from', 'app'],
      ['build-worker', 'app'],
    ]) {
      const { code, stderr } = await session.run(...args)
      expect({ code, stderr }).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('error[ERR_UNSUPPORTED]: the application has no http'),
      })
    }
  })

  it('gives components of one application the environment that is given, and none that is not named', async () => {
    const session = createSession()
    const up = await start(session, 'up', '-f', hello, '-c', 'hello', '-e', 'A=b', '--quiet')
    expect((await fetch(`${up.url}/`)).status).toBe(200)
    await up.stop()
  })

  it('names triggers that it does not run, and runs the others', async () => {
    const session = createSession()
    session.write('app/hello.wasm', bytesOfFile('examples/hello/hello.wasm'))
    const manifest = `spin_manifest_version = 2
[application]
name = "two"
version = "1.0.0"
[[trigger.redis]]
id = "queue"
channel = "messages"
component = "hello"
[component.hello]
source = "hello.wasm"
variables = { greeting = "Hello" }
`
    session.write('app/spin.toml', manifest)
    const alone = await session.run('up', '-f', 'app', '--listen', '127.0.0.1:0')
    expect(alone.code).toBe(1)
    expect(alone.stderr).toContain('no http trigger to serve; its triggers are of type redis')
    const http = '[[trigger.http]]\nroute = "/hello/:name"\ncomponent = "hello"\n'
    session.write('app/spin.toml', manifest.replace('[component', `${http}[component`))
    const up = await start(session, 'up', '-f', 'app')
    expect(await textOf(`${up.url}/hello/Ann`)).toContain('Hello, Ann')
    const { stderr } = await up.stop()
    expect(stderr).toContain('the trigger "queue" is not run: its type is "redis"')
  })
})
