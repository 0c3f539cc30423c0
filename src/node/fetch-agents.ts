import { Agent as PlainAgent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import type { Socket } from 'node:net'
import { trustAlso } from './authorities.ts'

/** Milliseconds. Servers close what is unused after 5 s and more; one closed under a request costs a retry. */
const KEPT_OPEN = 4000

interface Agents {
  readonly plain: PlainAgent
  readonly tls: TlsAgent
}

/**
 * What keeps connections for the next request. They hold no process back.
 * @param ca See `NodeFetchOptions`.
 */
export function createAgents(ca?: string | readonly string[]): Agents {
  const options = { keepAlive: true, timeout: KEPT_OPEN }
  const trusted = ca === undefined ? {} : { secureContext: trustAlso(ca) }
  return {
    plain: watchIdle(new PlainAgent(options)),
    tls: watchIdle(new TlsAgent({ ...options, ...trusted })),
  }
}

/** A server that speaks before it is asked might have its words taken for the answer to what is asked next. */
function watchIdle<T extends PlainAgent>(agent: T): T {
  const keep = agent.keepSocketAlive.bind(agent) as (socket: Socket) => boolean
  const reuse = agent.reuseSocket.bind(agent)
  return Object.assign(agent, {
    keepSocketAlive(socket: Socket): boolean {
      socket.once('data', drop)
      return keep(socket)
    },
    reuseSocket(socket: Socket, request: Parameters<typeof reuse>[1]): void {
      socket.off('data', drop)
      reuse(socket, request)
    },
  })
}

function drop(this: Socket): void {
  this.destroy()
}
