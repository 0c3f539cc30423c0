import { describe, expect, it } from 'vitest'
import { hasJspi } from '../../src/run/component/abi/jspi.ts'
import { createAppHandler, type AppHandlerOptions, type LogLine } from '../../src/run/index.ts'
import { bytesOfFile, pulledApp } from './fixtures.ts'
import { CANT_WAIT } from './waiting.ts'

interface Running {
  readonly get: (path: string, init?: RequestInit) => Promise<Response>
  readonly log: LogLine[]
  /** What was asked of the world outside. */
  readonly asked: string[]
}

async function run(
  guest: string,
  options: AppHandlerOptions = {},
  granted = true,
): Promise<Running> {
  const log: LogLine[] = []
  const asked: string[] = []
  const app = pulledApp(
    {
      guest: {
        wasm: bytesOfFile(`test/guests/${guest}.wasm`),
        fileTree: new Map([['a/b.txt', new TextEncoder().encode('contents')]]),
        config: { name: 'Mr X' },
        metadata: {
          allowed_outbound_hosts: ['http://up.example'],
          key_value_stores: granted ? ['default'] : [],
        },
      },
    },
    [{ route: '/...', component: 'guest' }],
  )
  const handler = await createAppHandler(app, {
    onLog: (line) => log.push(line),
    fetch: async (request) => {
      asked.push(`${request.method} ${request.url}`)
      return new Response('from above', { status: 203 })
    },
    ...options,
  })
  const get = (path: string, init?: RequestInit): Promise<Response> =>
    handler.fetch(new Request(`http://app.example${path}`, init))
  return { get, log, asked }
}

const FILES = 'ntents\nread 0\nwrite 32\nup 30\na 2\n'

/** What every way of waiting must come to. */
function behaves(guest: string, options: AppHandlerOptions): void {
  const text = async (path: string, init?: RequestInit): Promise<string> =>
    (await (await run(guest, options)).get(path, init)).text()

  it('answers', async () => {
    const response = await (await run(guest, options)).get('/hello')
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain'])
    expect(await response.text()).toBe('Hello from 0.3!')
  })

  it('answers without a body, and HEAD', async () => {
    const app = await run(guest, options)
    expect((await app.get('/nowhere')).status).toBe(404)
    const head = await app.get('/hello', { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  })

  it('streams a large body in and out', async () => {
    const body = new Uint8Array(300_000).map((_, i) => i)
    const response = await (await run(guest, options)).get('/echo', { method: 'POST', body })
    expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true)
  })

  it('waits for a clock between the parts of its body', async () => {
    expect(await text('/slow')).toBe('tick\ntick\ntick\n')
  })

  it('gives up a wait at once when the guest cancels it', async () => {
    // The state of a subtask that was cancelled before it returned.
    expect(await text('/cancel')).toBe('4')
  })

  it('asks the hosts that it may ask, and no others', async () => {
    const app = await run(guest, options)
    expect(await (await app.get('/outbound/up.example/x?y')).text()).toBe('203 from above')
    expect(app.asked).toEqual(['GET http://up.example/x?y'])
    // `HTTP-request-denied` is the sixteenth error code.
    expect(await (await app.get('/outbound/down.example/')).text()).toBe('error 15')
    expect(app.asked).toHaveLength(1)
  })

  it('logs what is printed', async () => {
    const app = await run(guest, options)
    expect(await (await app.get('/print')).text()).toBe('done')
    expect(app.log).toEqual([{ component: 'guest', stream: 'stdout', text: 'printed by 0.3' }])
  })

  it('reads files and directories, and can’t write or leave them', async () => {
    expect(await text('/files')).toBe(FILES)
  })

  it('has Spin’s variables and values', async () => {
    expect(await text('/variable')).toBe('Mr X')
    expect(await text('/kv')).toBe('set 0\nvalue\nkeys 1\none\nend 0\n')
    const denied = await run(guest, options, false)
    // `access-denied` is the third of the errors.
    expect(await (await denied.get('/kv')).text()).toBe('open 2\n')
  })

  it.each([
    ['/trap', /trapped: unreachable/],
    ['/error', /the error "loop-detected"/],
    ['/none', /ends without a result/],
    ['/deadlock', /a deadlock/],
  ])('answers 500 for %s and logs why', async (path, reason) => {
    const app = await run(guest, options)
    const response = await app.get(path)
    expect([response.status, await response.text()]).toEqual([500, ''])
    expect(app.log.map((line) => line.text)).toEqual([expect.stringMatching(reason)])
  })

  it.each([
    ['traps', '/late-trap', /unreachable/],
    ['waits for what never comes', '/late-deadlock', /a deadlock/],
    ['goes without ending it', '/unfinished', /disposed of/],
    ['says that it broke off', '/broken', /connection-terminated/],
  ])('breaks the body off when the guest %s', async (_, path, reason) => {
    const response = await (await run(guest, options)).get(path)
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toThrow(reason)
  })

  it('lets a guest go whose client has left', async () => {
    const app = await run(guest, options)
    const left = new AbortController()
    const answer = app.get('/forever', { signal: left.signal })
    left.abort(new Error('the client left'))
    await expect(answer).rejects.toThrow('the client left')
  })

  it('ends a guest whose time is over', async () => {
    const app = await run(guest, { ...options, timeout: 20 })
    expect((await app.get('/forever')).status).toBe(500)
    expect(app.log.map((line) => line.text)).toEqual([expect.stringMatching(/within 20 ms/)])
  })

  it('gives every request an instance of its own', async () => {
    const app = await run(guest, options)
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const body = `${i} `.repeat(3000)
        return (await (await app.get('/echo', { method: 'POST', body })).text()) === body
      }),
    )
    expect(answers).toEqual(answers.map(() => true))
  })
}

describe('a wasi:http 0.3 component that is called back', () => {
  // What is called back never stands still: it needs no JSPI.
  behaves('async', { jspi: false })
})

if (hasJspi()) {
  describe('a wasi:http 0.3 component that is called back, with JSPI', () => {
    behaves('async', { jspi: true })
  })
}

describe('a wasi:http 0.3 component that stands still to wait', () => {
  if (hasJspi()) behaves('stackful', {})

  it('is refused where the engine can’t do that, and told which can', async () => {
    const app = await run('stackful', { jspi: false })
    expect((await app.get('/slow')).status).toBe(500)
    expect(app.log.map((line) => line.text)).toEqual([expect.stringMatching(CANT_WAIT)])
  })
})

describe('the handler of a component', () => {
  const wasm = bytesOfFile('test/guests/async.wasm')
  const NAME = 'wasi:http/handler@0.3.0'

  /** The component with its interfaces' versions spelled otherwise, as long as they were. */
  function renamed(from: string, to: string): Uint8Array {
    const text = Array.from(wasm, (byte) => String.fromCharCode(byte)).join('')
    return Uint8Array.from(text.replaceAll(from, to), (character) => character.charCodeAt(0))
  }
  const load = (bytes: Uint8Array): Promise<unknown> =>
    createAppHandler(pulledApp({ guest: { wasm: bytes } }, [{ route: '/...', component: 'guest' }]))

  it('may be of any patch of 0.3', async () => {
    await expect(load(renamed(NAME, 'wasi:http/handler@0.3.7'))).resolves.toBeDefined()
  })

  it('is refused by name when it is of another version', async () => {
    await expect(load(renamed(NAME, 'wasi:http/handler@0.4.0'))).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('no supported handler (it exports wasi:http/handler@0.4.0)'),
    })
  })

  it('is refused with the imports that nobody has', async () => {
    await expect(load(renamed('wasi:cli/stdout@0.3.0', 'wasi:cli/stdoux@0.3.0'))).rejects.toThrow(
      /doesn't know: wasi:cli\/stdoux@0\.3\.0/,
    )
  })
})
