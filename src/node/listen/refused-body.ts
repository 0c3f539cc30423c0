import type { IncomingMessage, ServerResponse } from 'node:http'

/** Milliseconds that a client may go on to send what nobody reads, once it has its answer. */
export const LINGER = 5000

/**
 * Reads on what a client still sends after its body was given up, and throws it away.
 *
 * A body that is cancelled is destroyed, and Node reads no more from its connection: the client's
 * next request on it gets no answer, and after five seconds it is cut.
 */
export function readOnWhenRefused(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request
  const destroy = request.destroy.bind(request)
  const cut = (): void => {
    if (request.complete) return
    const timer = setTimeout(() => socket.destroy(), LINGER)
    for (const event of ['end', 'close']) request.once(event, () => clearTimeout(timer))
  }
  // Node may go on to hand out what it has of a body whose reader has heard of its end: that throws.
  for (const event of ['aborted', 'close'])
    request.once(event, () => request.removeAllListeners('data'))
  // Of a body that nobody began to read, Node reads on whatever comes.
  response.once('finish', () => {
    if (!request.readableDidRead) cut()
  })
  request.destroy = (error) => {
    if (request.complete || socket.destroyed) return destroy(error)
    for (const event of ['data', 'end', 'error']) request.removeAllListeners(event)
    request.on('error', () => {})
    // Who destroys a request takes its connection from it first.
    request.socket = socket
    request.resume()
    if (response.writableFinished) cut()
    else response.once('finish', cut)
    return request
  }
}

/** Ends a body for whoever reads it, and throws away what still comes of it. */
export function breakBody(request: IncomingMessage): void {
  for (const event of ['data', 'end']) request.removeAllListeners(event)
  request.on('error', () => {})
  request.emit('error', new Error('the answer to the request broke off'))
  request.resume()
}
