// A TCP proxy that adds distance: every byte arrives half a round trip after it was sent, in both
// directions, at any rate. It does not imitate congestion or loss, and passes TLS through unread.
import { connect, createServer } from 'node:net'

/** Bytes in flight in one direction of a connection at most: four windows of a fast distant server. */
const IN_FLIGHT = 64 * 1024 * 1024

/**
 * Starts the proxy on a free loopback port.
 * @param {{ port: number, roundTrip: number }} options `port` of the server; `roundTrip` in milliseconds
 */
export async function startDelayProxy({ port, roundTrip }) {
  const sockets = new Set()
  let connections = 0
  const server = createServer((client) => {
    connections++
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', () => {
        client.destroy()
        upstream.destroy()
      })
    }
    // A TCP handshake takes a round trip of its own before the first byte.
    const handshakeEnd = performance.now() + roundTrip
    forward(client, upstream, roundTrip / 2, handshakeEnd)
    forward(upstream, client, roundTrip / 2, handshakeEnd)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: server.address().port,
    /** Connections since the last call. */
    takeConnections() {
      const count = connections
      connections = 0
      return count
    },
    stop() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function forward(from, to, delay, earliest) {
  const queue = []
  let queued = 0
  let timer
  const release = () => {
    timer = undefined
    const now = performance.now()
    while (queue.length > 0 && queue[0].due <= now) {
      const { chunk } = queue.shift()
      if (chunk === undefined) to.end()
      else {
        queued -= chunk.length
        to.write(chunk)
      }
    }
    if (from.isPaused() && queued < IN_FLIGHT) from.resume()
    if (queue.length > 0) timer = setTimeout(release, Math.max(0, queue[0].due - now))
  }
  const add = (chunk) => {
    queue.push({ chunk, due: Math.max(performance.now(), earliest) + delay })
    queued += chunk?.length ?? 0
    if (queued >= IN_FLIGHT) from.pause()
    if (delay === 0) release()
    else timer ??= setTimeout(release, queue[0].due - performance.now())
  }
  from.on('data', add)
  from.on('end', () => add())
}
