import { connect, type Socket } from 'node:net'

/** A client that says on a connection what it wants, as slowly as it wants. */
export interface RawClient {
  readonly socket: Socket
  write(text: string): void
  /** What the server has said so far. */
  readonly received: () => string
  /** Resolves to all that the server said, once it has closed the connection. */
  readonly closed: Promise<string>
}

export async function rawClient(url: string): Promise<RawClient> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  const closed = new Promise<string>((resolve) => {
    // How it is closed makes no difference.
    socket.on('error', () => {}).on('close', () => resolve(text))
  })
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
  return {
    socket,
    received: () => text,
    closed,
    write: (more) => void (socket.writable && socket.write(more)),
  }
}

/** Sends one byte of a text at a time. */
export function drip(client: RawClient, text: string, every: number): void {
  let at = 0
  const timer = setInterval(() => client.write(text[at++ % text.length] ?? ''), every)
  void client.closed.then(() => clearInterval(timer))
}

/** The status of what the server said, if it said anything. */
export function statusOf(answer: string): number | undefined {
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(answer) ?? []
  return status === undefined ? undefined : Number(status)
}
