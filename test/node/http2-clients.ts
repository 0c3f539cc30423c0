import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2'
import { connect as connectSocket, type Socket } from 'node:net'
import { afterEach } from 'vitest'
import { listen, type Listener, type ListenOptions } from '../../src/node/listen/listen.ts'
import type { FetchHandler } from '../../src/types.ts'

const listeners: Listener[] = []
const sessions: ClientHttp2Session[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy()
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const listener of listeners.splice(0)) await listener.close()
})

export async function startHttp2(
  fetch: FetchHandler['fetch'],
  options: ListenOptions = {},
): Promise<string> {
  const listener = await listen({ fetch }, { http2: true, ...options })
  listeners.push(listener)
  return listener.url
}

export interface Http2Client {
  readonly session: ClientHttp2Session
  /** Resolves once the server has ended the connection. */
  readonly closed: Promise<void>
  readonly ask: (headers: Record<string, unknown>, body?: string) => Promise<Http2Answer>
}

interface Http2Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** Whether the head was the end. */
  readonly isHeadOnly: boolean
  readonly trailers: Readonly<Record<string, unknown>> | undefined
  /** How the stream ended. */
  readonly code: number
}

export function http2Client(url: string, options: object = {}): Http2Client {
  const session = connect(url, { rejectUnauthorized: false, ...options })
  sessions.push(session)
  session.on('error', () => {})
  const closed = new Promise<void>((resolve) => session.once('close', resolve))
  const ask: Http2Client['ask'] = (headers, body) =>
    new Promise((resolve) => {
      const stream = session.request(headers as Record<string, string>, {
        endStream: body === undefined,
      })
      let text = ''
      let isHeadOnly = false
      let got: IncomingHttpHeaders = {}
      let trailers: Record<string, unknown> | undefined
      stream
        .on('response', (head, flags) => {
          got = head
          isHeadOnly = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
        })
        .on('trailers', (head) => (trailers = head))
        .on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
        .on('error', () => {})
        .on('close', () =>
          resolve({
            status: got[':status'] as number | undefined,
            headers: got,
            body: text,
            isHeadOnly,
            trailers,
            code: stream.rstCode ?? -1,
          }),
        )
      if (body !== undefined) stream.end(body)
    })
  return { session, closed, ask }
}

/** A connection that has said that it speaks HTTP/2, for frames of any kind. */
export async function rawHttp2(url: string): Promise<{
  socket: Socket
  frame: (type: number, flags: number, stream: number, payload?: Uint8Array) => void
  /** Resolves once the server has ended the connection. */
  closed: Promise<void>
}> {
  const socket = connectSocket(Number(new URL(url).port), '127.0.0.1')
  sockets.push(socket)
  const closed = new Promise<void>((resolve) =>
    socket.on('error', () => {}).on('close', () => resolve()),
  )
  socket.resume()
  await new Promise((resolve) => socket.once('connect', resolve))
  const frame = (
    type: number,
    flags: number,
    stream: number,
    payload: Uint8Array = new Uint8Array(),
  ): void => {
    const head = Buffer.alloc(9)
    head.writeUIntBE(payload.length, 0, 3)
    head[3] = type
    head[4] = flags
    head.writeUInt32BE(stream, 5)
    if (socket.writable) socket.write(Buffer.concat([head, payload]))
  }
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  frame(4, 0, 0)
  return { socket, frame, closed }
}

/** HPACK of `GET / http localhost`, without Huffman coding. */
export const HEAD: Uint8Array = Uint8Array.from([
  0x82,
  0x86,
  0x84,
  ...[0x41, 9, ...Buffer.from('localhost')],
])

/** HPACK of one more header, new to the table of neither side. */
export function field(name: string, value: string): Uint8Array {
  return Uint8Array.from([
    0,
    name.length,
    ...Buffer.from(name),
    value.length,
    ...Buffer.from(value),
  ])
}
