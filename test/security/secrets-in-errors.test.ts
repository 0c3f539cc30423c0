// A server, token service or log may repeat what it was sent, anywhere in its answer. Whoever reads an
// error, warning or output of a command must not find a password or token in it.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createBindleClient } from '../../src/bindle/client.ts'
import { createOidcCredentials } from '../../src/bindle/oidc.ts'
import { parseToml } from '../../src/bytes/toml.ts'
import { formatBase64 } from '../../src/bytes/base64.ts'
import { parseJson } from '../../src/bytes/json.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { SpindleError } from '../../src/errors.ts'
import { createTransport } from '../../src/http/transport.ts'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { fetchIdentityToken } from '../../src/node/credentials/identity-token.ts'
import { exchangeAzureToken } from '../../src/registry/azure-exchange.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'
import { callService } from '../../src/trust/wire/service-request.ts'
import type { Credentials } from '../../src/types.ts'
import { createSession } from '../cli/session.ts'

const PASSWORD = 'hunter22 Päss"w<o>rd&\'more\\'
const USER = 'robot'
const TOKEN = 'opaque-token.0123456789abcdef'
const REFRESH = 'refresh/token+0123456789='
const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl'

const base64 = (text: string): string => formatBase64(encodeUtf8(text))
const inForm = (text: string): string => new URLSearchParams({ x: text }).toString().slice(2)

/** How a server may write what it was sent. */
const spellings = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase()),
  encodeURIComponent(base64(secret)),
  `${encodeURIComponent(base64(secret))}%25`,
  encodeURIComponent(encodeURIComponent(secret)),
  encodeURI(secret),
  inForm(secret),
  base64(secret),
  base64(secret).replace(/=+$/, ''),
  JSON.stringify(secret).slice(1, -1),
  secret
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;'),
]
const SECRETS = [PASSWORD, `${USER}:${PASSWORD}`, TOKEN, REFRESH, JWT].flatMap(spellings)

/** Everything that an error says, by whatever way it is printed. */
function textsOf(error: unknown): string {
  const options = {
    depth: Infinity,
    showHidden: true,
    maxStringLength: Infinity,
    maxArrayLength: Infinity,
  }
  return [
    inspect(error, options),
    JSON.stringify(error),
    String(error),
    (error as Error).stack,
  ].join('\n')
}

function expectNoSecret(text: string): void {
  // `inspect` and JSON write some characters otherwise.
  const plain = [text, text.replaceAll('\\\\', '\\').replaceAll("\\'", "'").replaceAll('\\"', '"')]
  for (const secret of SECRETS) for (const one of plain) expect(one).not.toContain(secret)
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(Error)
  return error
}

/** All that a request proves itself with, as a server sees it. */
async function seen(request: Request): Promise<string[]> {
  const found: string[] = []
  const authorization = request.headers.get('authorization')
  if (authorization !== null) {
    const [scheme, proof = ''] = authorization.split(' ')
    found.push(proof)
    if (scheme === 'Basic') {
      const pair = Buffer.from(proof, 'base64').toString()
      found.push(pair, pair.slice(pair.indexOf(':') + 1))
    }
  }
  const body = await request.text()
  if (request.headers.get('content-type')?.includes('form') === true)
    for (const [, value] of new URLSearchParams(body)) if (value.length > 16) found.push(value)
  if (request.headers.get('content-type')?.includes('json') === true)
    found.push(...(body.match(/eyJ[\w.-]+/g) ?? []))
  return found.flatMap(spellings)
}

/** Answers that repeat words, in every place where a client looks. */
const ANSWERS: Readonly<Record<string, (words: readonly string[], status: number) => Response>> = {
  'the message': (words, status) =>
    Response.json({ errors: [{ code: 'DENIED', message: words.join(' | ') }] }, { status }),
  'the detail': (words, status) =>
    Response.json(
      {
        errors: [
          {
            code: 'DENIED',
            message: 'no',
            detail: { words, [words.join(' | ')]: { deep: [words.join()] }, password: words[0] },
          },
        ],
      },
      { status },
    ),
  'a detail that is text': (words, status) =>
    Response.json(
      { errors: [{ code: 'DENIED', message: 'no', detail: words.join('\n') }] },
      { status },
    ),
  'the code': (words, status) =>
    Response.json(
      { errors: words.map((code) => ({ code, message: 'no' })).slice(0, 16) },
      { status },
    ),
  'the description of OAuth': (words, status) =>
    Response.json({ error: 'invalid_grant', error_description: words.join(' ') }, { status }),
  'the error of OAuth': (words, status) => Response.json({ error: words.join(' ') }, { status }),
  'plain text': (words, status) =>
    new Response(words.join('\n'), { status, headers: { 'content-type': 'text/plain' } }),
  'the title of a page': (words, status) =>
    new Response(`<html><title>${words.join(' ').replaceAll('<', ' ')}</title>`, {
      status,
      headers: { 'content-type': 'text/html' },
    }),
  TOML: (words, status) =>
    new Response(`error = ${JSON.stringify(words.join(' '))}`, {
      status,
      headers: { 'content-type': 'application/toml' },
    }),
  'no JSON at all': (words) =>
    new Response(words.join(' '), { status: 200, headers: { 'content-type': 'application/json' } }),
  'no TOML at all': (words) =>
    new Response(`${words.join(' ')}\n= ${words.join(' ')}`, {
      status: 200,
      headers: { 'content-type': 'application/toml' },
    }),
  'an address to go to': (words) =>
    new Response(null, {
      status: 307,
      headers: { location: `http://elsewhere.test/${words.map(encodeURIComponent).join('/')}` },
    }),
}

const scope = { registry: 'registry.test', repository: 'a', actions: ['pull'] } as const
const retry = false

/** A registry that wants a login of some kind, and then answers so. */
function registry(
  answer: (words: readonly string[], status: number) => Response,
  {
    challenge,
    tokens = () => new Response(null, { status: 500 }),
  }: {
    challenge: string
    tokens?: (request: Request) => Promise<Response> | Response
  },
) {
  return async (request: Request): Promise<Response> => {
    if (new URL(request.url).hostname === 'tokens.test') return tokens(request)
    if (!request.headers.has('authorization'))
      return new Response(null, { status: 401, headers: { 'www-authenticate': challenge } })
    return answer(await seen(request), 403)
  }
}

const BEARER = 'Bearer realm="https://tokens.test/token",service="s"'
const password: Credentials = { username: USER, password: PASSWORD }

describe.each(Object.entries(ANSWERS))('a secret repeated in %s', (name, answer) => {
  it.each<[string, Credentials, string]>([
    ['password', password, 'Basic realm="x"'],
    ['token', { token: TOKEN }, BEARER],
    ['identity token', { token: JWT }, BEARER],
  ])('by a registry: a %s', async (_, credentials, challenge) => {
    const transport = createTransport({
      fetch: registry(answer, { challenge }),
      credentials,
      retry,
    })
    const url = 'https://registry.test/v2/a/tags/list'
    const error = await transport
      .fetch({ url, scope })
      .then((response) => response.arrayBuffer())
      .then((bytes) => parseJson(new Uint8Array(bytes), 'the list'))
      .then(
        () => new Error('nothing was wrong'),
        (reason: unknown) => reason,
      )
    expectNoSecret(textsOf(error))
    const repository = createRepository('registry.test/a', {
      fetch: registry(answer, { challenge }),
      credentials,
      retry,
    })
    const failed = await repository.resolve('v1').then(
      () => new Error('nothing was wrong'),
      (reason: unknown) => reason,
    )
    expectNoSecret(textsOf(failed))
  })

  it.each<[string, Credentials]>([
    ['password', password],
    ['refresh token', { refreshToken: REFRESH }],
    ['refresh token by the name of Docker', { username: '<token>', password: REFRESH }],
  ])('by a token service: a %s', async (_, credentials) => {
    const tokens = async (request: Request): Promise<Response> => answer(await seen(request), 403)
    const fetch = registry(answer, { challenge: BEARER, tokens })
    const error = await failure(
      createTransport({ fetch, credentials, retry }).fetch({
        url: 'https://registry.test/v2/',
        scope,
      }),
    )
    expectNoSecret(textsOf(error))
    // The password goes into a form where GET is not to be had.
    const posting = async (request: Request): Promise<Response> =>
      request.method === 'GET' ? new Response(null, { status: 405 }) : tokens(request)
    expectNoSecret(
      textsOf(
        await failure(
          createTransport({
            fetch: registry(answer, { challenge: BEARER, tokens: posting }),
            credentials,
            retry,
          }).fetch({ url: 'https://registry.test/v2/', scope }),
        ),
      ),
    )
  })

  it.each([
    ['password', { username: USER, password: PASSWORD }],
    ['token', { token: TOKEN }],
  ])('by a Bindle server: a %s', async (_, credentials) => {
    const fetch = async (request: Request): Promise<Response> => answer(await seen(request), 403)
    const client = createBindleClient('https://bindle.test/v1', { fetch, credentials, retry })
    const read = async (): Promise<void> => {
      for await (const invoice of client.query('x')) void invoice
    }
    expectNoSecret(textsOf(await failure(read())))
    expectNoSecret(textsOf(await failure(client.keys())))
  })

  it('by an identity provider: the refresh token of a Bindle login', async () => {
    const fetch = async (request: Request): Promise<Response> => answer(await seen(request), 400)
    const credentials = createOidcCredentials(
      {
        idToken: 'x',
        accessToken: '',
        refreshToken: REFRESH,
        clientId: 'c',
        tokenUrl: 'https://issuer.test/token',
      },
      async () => {},
    )
    const client = createBindleClient('https://bindle.test/v1', { fetch, credentials, retry })
    expectNoSecret(textsOf(await failure(client.keys())))
  })

  it('by Fulcio, Rekor or an issuer: an identity token', async () => {
    const fetch = async (request: Request): Promise<Response> => answer(await seen(request), 400)
    const body = JSON.stringify({ credentials: { oidcIdentityToken: JWT } })
    const error = await callService(
      { method: 'POST', url: 'https://fulcio.test/api', contentType: 'application/json', body },
      { fetch },
    ).catch((reason: unknown) => reason)
    expectNoSecret(textsOf(error))
    const env = {
      ACTIONS_ID_TOKEN_REQUEST_URL: 'https://actions.test/token',
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: TOKEN,
    }
    expectNoSecret(textsOf(await failure(fetchIdentityToken({ env, fetch }))))
  })

  it('by Azure: an access token', async () => {
    const fetch = async (request: Request): Promise<Response> => answer(await seen(request), 403)
    const error = await exchangeAzureToken('registry.test', JWT, { fetch, retry }).catch(
      (reason: unknown) => reason,
    )
    expectNoSecret(textsOf(error))
  })

  it('does not reach who asks a relay that has a login of its own', async () => {
    const errors: unknown[] = []
    const fetch = registry(
      (words, status) => {
        const response = answer(words, status === 403 && name.startsWith('no ') ? 200 : status)
        response.headers.set(
          'warning',
          `299 - ${JSON.stringify(encodeURIComponent(words.join(' ')))}`,
        )
        return response
      },
      { challenge: 'Basic realm="x"' },
    )
    const relay = createRelayHandler({
      registries: ['registry.test'],
      origins: ['https://page.test'],
      secret: new Uint8Array(32),
      credentials: async () => password,
      authorize: () => true,
      fetch,
      onError: (error) => void errors.push(error),
    })
    const response = await relay.fetch(
      new Request('https://relay.test/relay/registry.test/v2/a/manifests/v1', {
        headers: { origin: 'https://page.test' },
      }),
    )
    expect([200, 401, 403]).toContain(response.status)
    // What is answered with 200 is content, which is checked by digest and handed on as it is.
    if (response.status >= 400) expectNoSecret(await response.text())
    expectNoSecret([...response.headers].join('\n'))
    expectNoSecret(errors.map(textsOf).join('\n'))
  })
})

describe('a secret repeated', () => {
  it('in a warning is not told', async () => {
    const told: string[] = []
    const fetch = registry(
      (words) =>
        new Response('{}', {
          headers: {
            warning: words
              .map((word) => `299 - ${JSON.stringify(encodeURIComponent(word))}`)
              .join(', '),
          },
        }),
      { challenge: 'Basic realm="x"' },
    )
    const transport = createTransport({
      fetch,
      credentials: password,
      retry,
      onWarning: ({ message }) => void told.push(message),
    })
    await transport.fetch({ url: 'https://registry.test/v2/', scope })
    expect(told.length).toBeGreaterThan(0)
    expectNoSecret(told.join('\n'))
  })

  it('later, by a server that remembers it, is not told either', async () => {
    let words: readonly string[] = []
    const fetch = registry(
      (now) =>
        words.length === 0
          ? ((words = now), new Response('{}'))
          : ANSWERS['the detail']!(words, 403),
      {
        challenge: 'Basic realm="x"',
      },
    )
    const transport = createTransport({ fetch, credentials: password, retry })
    await transport.fetch({ url: 'https://registry.test/v2/', scope })
    const error = await failure(transport.fetch({ url: 'https://registry.test/v2/', scope }))
    expectNoSecret(textsOf(error))
  })

  it('by the proxy that reads requests: its own password', async () => {
    const server = createServer((request, response) => {
      const sent = request.headers['proxy-authorization'] ?? ''
      const pair = Buffer.from(sent.slice('Basic '.length), 'base64').toString()
      response.setHeader('warning', `299 - "${pair.replaceAll(/[^ -!#-~]/g, '')}"`)
      response.writeHead(403, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ errors: [{ code: 'DENIED', message: `${sent} ${pair}` }] }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const warnings: string[] = []
    const transport = createTransport({
      fetch: createNodeFetch({ proxy: `http://${USER}:plain-hunter22@127.0.0.1:${port}` }),
      insecure: ['registry.test'],
      onWarning: ({ message }) => warnings.push(message),
    })
    const error = await transport
      .fetch({ method: 'GET', url: 'http://registry.test/v2/' })
      .then(() => undefined)
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_UNAUTHORIZED' })
    expect(textsOf(error)).not.toMatch(/hunter22|cm9ib3Q6/)
    expect(warnings.join()).not.toContain('hunter22')
  })

  it('deep in a detail, or in thousands of lists, ends no process', async () => {
    const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`
    const fetch = async (): Promise<Response> =>
      new Response(`{"errors":[{"code":"DENIED","detail":${deep}}]}`, { status: 403 })
    const error = await failure(
      createTransport({ fetch, retry }).fetch({ url: 'https://registry.test/v2/' }),
    )
    expect(error).toMatchObject({ code: 'ERR_UNAUTHORIZED' })
    expect(JSON.stringify(error).length).toBeLessThan(1000)
  })

  it('is in no output of a command', async () => {
    for (const answer of Object.values(ANSWERS)) {
      const session = createSession(registry(answer, { challenge: 'Basic realm="x"' }))
      await session.run('registry', 'login', 'registry.test', '-u', USER, '-p', PASSWORD)
      session.write('.config/fermyon/registry-auth.json', {
        auths: { 'registry.test': base64(`${USER}:${PASSWORD}`) },
      })
      for (const command of [['tags'], ['tags', '--json'], ['manifest'], ['pull']]) {
        const { code, stdout, stderr } = await session.run(
          'registry',
          ...command,
          'registry.test/a:1',
        )
        expect(code).not.toBe(2)
        expectNoSecret(stdout + stderr)
      }
    }
  })
})

describe('content that repeats a secret', () => {
  const IMAGE = 'application/vnd.oci.image.manifest.v1+json'
  const open = (answer: (secret: string) => Response): ReturnType<typeof createRepository> =>
    createRepository('registry.test/a', {
      credentials: { username: USER, password: PASSWORD },
      retry: false,
      fetch: async (request) =>
        request.headers.has('authorization')
          ? answer(PASSWORD)
          : new Response(null, { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } }),
    })

  it('in the type that a manifest gives itself', async () => {
    const { resolve } = open((mediaType) =>
      Response.json({ schemaVersion: 2, mediaType }, { headers: { 'content-type': IMAGE } }),
    )
    const error = await failure(resolve('v1'))
    expect(error).toMatchObject({ code: 'ERR_CONTENT_INVALID' })
    expectNoSecret(textsOf(error))
  })

  it('in what breaks a body', async () => {
    const { resolve, fetch } = open((secret) => {
      const body = new ReadableStream({
        pull: (controller) =>
          controller.error(
            new SpindleError('ERR_UNSUPPORTED', `it came in the content coding "${secret}"`, {
              cause: new Error(secret),
            }),
          ),
      })
      return new Response(body, { headers: { 'content-type': IMAGE } })
    })
    const error = await failure(resolve('v1'))
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED' })
    expectNoSecret(textsOf(error))
    const blob = { mediaType: 'a/b', digest: `sha256:${'0'.repeat(64)}`, size: 3 } as const
    const broken = await failure(
      fetch(blob).then(async (stream) => new Response(stream as ReadableStream).text()),
    )
    expectNoSecret(textsOf(broken))
  })
})

it('a text that is no JSON or TOML is not quoted by the error that says so', () => {
  for (const parse of [
    () => parseJson(encodeUtf8(`${PASSWORD}`), 'it'),
    () => parseJson(encodeUtf8(`{"a": ${PASSWORD}}`), 'it'),
    () => parseToml(`a = ${PASSWORD}\n`, 'it'),
    () => parseToml(`${PASSWORD}\n`, 'it'),
  ]) {
    let error: unknown
    try {
      parse()
    } catch (reason) {
      error = reason
    }
    expect(error).toMatchObject({ code: 'ERR_CONTENT_INVALID' })
    expect(textsOf(error).replace(/\n {4}at .*/g, '')).not.toContain('hunter22')
  }
})
