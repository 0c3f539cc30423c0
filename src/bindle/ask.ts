import { documentBytes } from '../bytes/document-limits.ts'
import { discard } from '../http/response-body.ts'
import type { BodySource, OperationOptions, Transport } from '../types.ts'
import { assertAnswered, readAnswer, redactBy, type ServerAnswer } from './answer.ts'
import { authorizationOf, type BindleCredentials } from './credentials.ts'

/** Errors that say what the matter is; the client reads them. */
const REFUSALS = [400, 401, 403, 404, 405, 409, 413, 415, 422, 507] as const

interface SendOptions {
  readonly operation?: OperationOptions
  readonly accept?: string
  readonly body?: BodySource
  readonly type?: string
  readonly once?: boolean
  readonly onUpload?: (loaded: number) => void
}

/** Requests to one server, with credentials where there are any. */
interface Asker {
  /** Whatever is answered. */
  readonly send: (method: string, path: string, call: SendOptions) => Promise<Response>
  /** An answer to be read. @throws `ResponseError` for a refusal */
  readonly open: (
    method: string,
    path: string,
    what: string,
    call: SendOptions,
  ) => Promise<Response>
  /** The document that is answered. @throws `ResponseError` for a refusal */
  readonly ask: (
    method: string,
    path: string,
    what: string,
    call?: SendOptions,
  ) => Promise<ServerAnswer>
}

export function createAsker(
  base: URL,
  transport: Transport,
  credentials: BindleCredentials | undefined,
  maxKeys: number | undefined,
): Asker {
  const redact = redactBy(transport)
  const send: Asker['send'] = async (method, path, call) => {
    const { operation = {}, accept = 'application/json', body, type, ...rest } = call
    const url = new URL(path, base)
    const attempt = (authorization: string | undefined): Promise<Response> =>
      transport.fetch({
        method,
        url,
        headers: {
          accept,
          ...(type === undefined ? {} : { 'content-type': type }),
          ...(authorization === undefined ? {} : { authorization }),
        },
        expect: REFUSALS,
        ...(body === undefined ? {} : { body }),
        ...(operation.signal === undefined ? {} : { signal: operation.signal }),
        ...rest,
      })
    const authorization = await authorizationOf(credentials, {
      transport,
      ...(operation.signal === undefined ? {} : { signal: operation.signal }),
    })
    const response = await attempt(authorization)
    // Reading is free for all; a stale login must not stand in its way.
    if (response.status !== 401 || authorization === undefined || method !== 'GET') return response
    discard(response)
    return attempt(undefined)
  }
  const open: Asker['open'] = async (method, path, what, call) => {
    const response = await send(method, path, call)
    await assertAnswered(
      response,
      { method, url: new URL(path, base), what, redact },
      call.operation?.signal,
    )
    return response
  }
  const ask: Asker['ask'] = async (method, path, what, call = {}) => {
    const limit = documentBytes(maxKeys)
    return readAnswer(
      await send(method, path, call),
      { method, url: new URL(path, base), what, limit, maxKeys, redact },
      call.operation?.signal,
    )
  }
  return { send, open, ask }
}
