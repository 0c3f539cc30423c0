import type { IncomingMessage, request } from 'node:http'
import type { RequestOptions } from 'node:https'
import { pairsOf } from '../../http/wire.ts'
import type { SendRequest } from './exchange.ts'
import { type Exchange, writeBody } from './fetch-body.ts'

interface Http1Options {
  readonly send: typeof request
  readonly options: RequestOptions
  /** Milliseconds without a byte after which the server is given up; 0 for no limit. */
  readonly idleTimeout: number
  /** Ends an attempt to open a tunnel, which Node does not end with the request. */
  readonly opening: AbortController
}

/** Sends requests by Node's HTTP/1.1 client, one at a time on each connection. */
export function sendByHttp1({ send, options, idleTimeout, opening }: Http1Options): SendRequest {
  return ({ method, headers, body }, events) => {
    const sent = send({
      ...options,
      method,
      headers,
      insecureHTTPParser: false,
      // Given always: the agent's is for connections without a request.
      timeout: idleTimeout,
    })
    let message: IncomingMessage | undefined
    const state: Exchange = { isOurTurn: false }
    sent.on('error', (error) => events.onError(state.failure ?? error))
    sent.on('timeout', () => {
      if (state.isOurTurn) return void sent.socket?.setTimeout(idleTimeout)
      state.failure = Object.assign(new Error('no data arrived in time'), { code: 'ETIMEDOUT' })
      sent.destroy(state.failure)
    })
    sent.on('response', (response) => {
      message = response
      const { statusCode = 0, statusMessage = '', rawHeaders } = response
      response.on('end', () => {
        events.onEnd()
        // The server has refused the request before all of it was sent.
        if (!sent.writableEnded) sent.destroy()
      })
      response.on('error', (error) => events.onError(state.failure ?? error))
      response.on('close', () => {
        // Creating an error is expensive, and most responses have ended by now.
        if (!response.readableEnded)
          events.onError(state.failure ?? new Error('the connection was closed'))
      })
      events.onHeaders(statusCode, statusMessage, pairsOf(rawHeaders))
      // Read to its end even without a body: only that frees the connection.
      response.on('data', events.onData)
    })
    if (body === undefined) sent.end()
    else if ('bytes' in body) sent.end(body.bytes)
    else
      void writeBody(sent, body, state).catch((error: Error) => {
        state.failure = error
        sent.destroy(error)
      })
    return {
      abort(reason) {
        state.failure = reason as Error
        sent.destroy(state.failure)
        opening.abort()
      },
      pause() {
        state.isOurTurn = true
        message?.pause()
      },
      resume() {
        state.isOurTurn = false
        message?.resume()
      },
    }
  }
}
