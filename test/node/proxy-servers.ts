import { createServer, request, type RequestListener, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach } from 'vitest'
import { address, type Authority, listenAs } from './tls-servers.ts'

/** A proxy in this process that reaches every host at one port of this machine. */
export interface TestProxy {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** What it was asked, as `CONNECT host:443` and `GET http://host/path`. */
  readonly seen: string[]
  /** Headers of each of these requests. */
  readonly headers: Record<string, unknown>[]
  /** Connections to it so far. */
  readonly connections: () => number
  /** Connections to it that are open. */
  readonly open: () => number
}

export interface ProxyRules {
  /** Where it connects to, whatever the host is called. */
  readonly port: number
  /** `user:password` that it asks for. */
  readonly login?: string
  /** What it answers CONNECT with in place of a tunnel. */
  readonly connectAnswer?: string
  /** It is reached over TLS, with a certificate of this authority. */
  readonly authority?: Authority
}

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

export async function startProxy(rules: ProxyRules): Promise<TestProxy> {
  const { port, login, connectAnswer, authority } = rules
  const seen: string[] = []
  const headers: Record<string, unknown>[] = []
  const sockets = new Set<Socket>()
  const expected = login && `Basic ${Buffer.from(login).toString('base64')}`
  const forward: RequestListener = (incoming, answer) => {
    seen.push(`${incoming.method} ${incoming.url}`)
    headers.push(incoming.headers)
    const { 'proxy-authorization': given, ...rest } = incoming.headers
    if (expected !== undefined && given !== expected)
      return void answer.writeHead(407, { 'proxy-authenticate': 'Basic realm="x"' }).end('login')
    const { pathname, search } = new URL(incoming.url ?? '')
    const options = { host: '127.0.0.1', port, path: pathname + search, headers: rest }
    const sent = request({ ...options, method: incoming.method }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    sent.on('error', () => answer.destroy())
    incoming.pipe(sent)
  }
  const server: Server =
    authority === undefined
      ? createServer(forward)
      : (await listenAs(authority, { address: address(127, 0, 0, 1), handle: forward })).server
  let connections = 0
  let open = 0
  server.on('connection', (socket: Socket) => {
    connections++
    open++
    socket.on('close', () => open--)
    sockets.add(socket)
    socket.on('error', () => {})
  })
  server.on('connect', (incoming, socket: Socket) => {
    seen.push(`CONNECT ${incoming.url}`)
    headers.push(incoming.headers)
    socket.on('error', () => {})
    if (expected !== undefined && incoming.headers['proxy-authorization'] !== expected)
      return void socket.end('HTTP/1.1 407 Login\r\nproxy-authenticate: Basic realm="x"\r\n\r\n')
    if (connectAnswer !== undefined) {
      socket.on('end', () => socket.end()).resume()
      return void socket.write(connectAnswer)
    }
    const upstream = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
    upstream.on('error', () => socket.destroy())
    sockets.add(upstream)
  })
  if (!server.listening) await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  closers.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const scheme = authority === undefined ? 'http' : 'https'
  const url = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, seen, headers, connections: () => connections, open: () => open }
}
