import { describe, expect, it } from 'vitest'
import { createTransport, createTransportOn } from '../../src/http/transport.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { createRepository } from '../../src/registry/repository.ts'
import type { FetchLike, TransportOptions } from '../../src/types.ts'

const failure = (code?: string, message = code): TypeError =>
  new TypeError('fetch failed', {
    ...(code !== undefined && { cause: Object.assign(new Error(message), { code }) }),
  })
/** As Node's own client reports what is not TLS. */
const notTls = failure(
  'EPROTO',
  'write EPROTO 80DC:error:0A00010B:SSL routines::wrong version number',
)
const alert = failure(
  'EPROTO',
  'write EPROTO 80DC:error:0A000410:SSL routines::alert handshake failure',
)

/** A machine that answers each scheme as told, with a status or a failure, and what it was asked. */
function machine(
  answers: { readonly https: number | TypeError; readonly http: number | TypeError },
  options: Omit<TransportOptions, 'fetch'> = {},
) {
  const asked: string[] = []
  const fetch: FetchLike = async (request) => {
    const { origin, pathname } = new URL(request.url)
    asked.push(`${request.method} ${origin}${pathname} ${request.headers.get('authorization')}`)
    const answer = request.url.startsWith('https:') ? answers.https : answers.http
    if (typeof answer !== 'number') throw answer
    return new Response(null, { status: answer })
  }
  return { asked, fetch, transport: createTransport({ fetch, retry: false, ...options }) }
}

describe('a server on loopback', () => {
  it.each<[string, number | TypeError, number | TypeError, 'http:' | 'https:', number]>([
    ['that speaks TLS', 200, 200, 'https:', 1],
    ['that speaks TLS and wants a login', 401, 200, 'https:', 1],
    ['that speaks TLS and has no /v2/', 404, 200, 'https:', 1],
    ['with a certificate nobody trusts', failure('DEPTH_ZERO_SELF_SIGNED_CERT'), 200, 'https:', 1],
    [
      'with a certificate of another name',
      failure('ERR_TLS_CERT_ALTNAME_INVALID'),
      200,
      'https:',
      1,
    ],
    ['with a certificate that has run out', failure('CERT_HAS_EXPIRED'), 200, 'https:', 1],
    [
      'that wants a certificate of the client',
      failure('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'),
      400,
      'https:',
      1,
    ],
    ['that speaks plain http', failure('ERR_SSL_WRONG_VERSION_NUMBER'), 200, 'http:', 1],
    ['that speaks plain http, as Node’s client says it', notTls, 200, 'http:', 1],
    ['that refuses the handshake in TLS', alert, 200, 'https:', 1],
    ['of an error of TLS that is not known', failure('EPROTO'), 400, 'https:', 2],
    ['that hangs up on TLS', failure('ECONNRESET'), 401, 'http:', 2],
    ['where nobody says why TLS failed, as in Workers', failure(), 200, 'http:', 2],
    ['that hangs up on TLS, and refuses plain http', failure('ECONNRESET'), 400, 'https:', 2],
    ['that hangs up on both', failure('ECONNRESET'), failure('ECONNRESET'), 'https:', 2],
    ['that is not there', failure('ECONNREFUSED'), failure('ECONNREFUSED'), 'http:', 1],
  ])('%s is reached as it can be', async (_, https, http, protocol, requests) => {
    const { asked, transport } = machine({ https, http })
    expect(await transport.protocol('localhost:5000')).toBe(protocol)
    expect(asked).toHaveLength(requests)
    expect(asked.every((line) => line.endsWith('localhost:5000/v2/ null'))).toBe(true)
  })

  it.each(['localhost', '127.0.0.1:5000', '127.9.9.9', '[::1]:5000', '[0:0:0:0:0:0:0:1]'])(
    'is also %s',
    async (host) => {
      const { transport } = machine({ https: notTls, http: 200 })
      expect(await transport.protocol(host)).toBe('http:')
    },
  )

  it('is detected once per process, for all transports', async () => {
    const { asked, fetch, transport } = machine({ https: notTls, http: 200 })
    await Promise.all(Array.from({ length: 8 }, () => transport.protocol('localhost:5000')))
    await createTransport({ fetch }).protocol('localhost:5000')
    expect(asked).toHaveLength(1)
    await transport.protocol('localhost:5001')
    expect(asked).toHaveLength(2)
  })

  it('is detected again after a refused connection', async () => {
    const answers = { https: failure('ECONNREFUSED') as number | TypeError, http: 200 }
    const { transport } = machine(answers)
    expect(await transport.protocol('localhost:5000')).toBe('http:')
    answers.https = 200
    expect(await transport.protocol('localhost:5000')).toBe('https:')
  })

  it('that does not respond is limited by the timeout', async () => {
    const transport = createTransport({ fetch: () => new Promise(() => {}), timeout: 20 })
    expect(await transport.protocol('localhost:5000')).toBe('https:')
  })

  it('ends the detection on abort', async () => {
    const reason = new Error('enough')
    const transport = createTransport({ fetch: () => new Promise(() => {}) })
    const asked = transport.protocol('localhost:5000', { signal: AbortSignal.abort(reason) })
    await expect(asked).rejects.toBe(reason)
  })

  it('is reached by plain http from pages, which can’t detect it', async () => {
    const { asked, fetch } = machine({ https: 200, http: 200 })
    const page = createTransportOn({ isBrowser: true, origin: 'http://localhost:3000' }, { fetch })
    expect(await page.protocol('localhost:5000')).toBe('http:')
    expect(await page.protocol('localhost:5000', { scheme: 'https' })).toBe('https:')
    expect(asked).toEqual([])
  })

  it('named in "insecure" is reached by plain http without detection', async () => {
    const { asked, transport } = machine(
      { https: 200, http: 200 },
      { insecure: ['localhost:5000'] },
    )
    expect(await transport.protocol('localhost:5000')).toBe('http:')
    expect(asked).toEqual([])
  })
})

describe('a server elsewhere', () => {
  it.each([
    'registry.test',
    'localhost.test',
    '127.0.0.1.test:5000',
    '10.0.0.1',
    '[::2]',
    'a.localhost',
  ])('as %s is reached by https, whatever it answers', async (host) => {
    const { asked, transport } = machine({ https: notTls, http: 200 })
    expect(await transport.protocol(host)).toBe('https:')
    expect(asked).toEqual([])
    await expect(createRepository(`${host}/a`, { transport }).resolve('1')).rejects.toMatchObject({
      code: 'ERR_NETWORK',
    })
    expect(asked.every((line) => line.includes(' https://'))).toBe(true)
  })
})

describe('a scheme before a reference', () => {
  const resolve = async (text: string, options: Omit<TransportOptions, 'fetch'> = {}) => {
    const { asked, transport } = machine({ https: 404, http: 404 }, options)
    const work = createRepository(text, { transport }).resolve('1')
    const error = await work.catch((thrown: unknown) => thrown)
    return {
      error,
      origins: [...new Set(asked.map((line) => new URL(line.split(' ')[1]!).origin))],
    }
  }

  it('takes precedence over detection', async () => {
    expect((await resolve('https://localhost:5000/a')).origins).toEqual(['https://localhost:5000'])
    expect((await resolve('http://localhost:5000/a')).origins).toEqual(['http://localhost:5000'])
    expect((await resolve('HTTPS://localhost:5000/a')).origins).toEqual(['https://localhost:5000'])
  })

  it('https takes precedence over "insecure"', async () => {
    const { origins } = await resolve('https://r.test/a', { insecure: ['r.test'] })
    expect(origins).toEqual(['https://r.test'])
  })

  it('http elsewhere needs "insecure" as well, and is not changed to https', async () => {
    const { error, origins } = await resolve('http://r.test/a')
    expect(error).toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/^http:\/\/r\.test\/.* uses plain http: .*"insecure"/),
    })
    expect(origins).toEqual([])
    expect((await resolve('http://r.test/a', { insecure: ['r.test'] })).origins).toEqual([
      'http://r.test',
    ])
  })

  it('is kept in the reference and left out of its canonical form', () => {
    const reference = parseReference('https://localhost:5000/a:1')
    expect(reference).toMatchObject({ registry: 'localhost:5000', scheme: 'https' })
    expect(String(reference)).toBe('localhost:5000/a:1')
    expect(parseReference('oci://localhost:5000/a:1').scheme).toBeUndefined()
    expect(parseReference('localhost:5000/a:1').scheme).toBeUndefined()
  })
})

it('sends no secret by plain http to a server that speaks TLS', async () => {
  const sent: string[] = []
  const fetch: FetchLike = async (request) => {
    sent.push(`${request.url} ${request.headers.get('authorization')}`)
    throw failure('DEPTH_ZERO_SELF_SIGNED_CERT')
  }
  const credentials = { username: 'ann', password: 'pw' }
  const repository = createRepository('localhost:5000/a', { fetch, credentials, retry: false })
  await expect(repository.resolve('1')).rejects.toMatchObject({ code: 'ERR_NETWORK' })
  expect(sent.some((line) => line.startsWith('http:'))).toBe(false)
})
