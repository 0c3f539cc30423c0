import { raceAbort } from '../bytes/abort.ts'
import { discard } from './response-body.ts'
import type { Sender } from './sender.ts'
import { codeOf, isOfCertificate } from './network-error.ts'

/** Milliseconds for a response of this machine. A slower one is taken for TLS through a tunnel. */
const DETECT_TIME = 3000

/**
 * OpenSSL's errors for a response that is not TLS, and for a TLS alert, such as a missing client
 * certificate. Node's own client has them in the message only, under the code EPROTO.
 */
const NOT_TLS = /wrong.version.number|packet.length.too.long/i
const TLS_ALERT = /alert/i
/** Status of TLS servers for plain http, as of Go, nginx and Apache. */
const WANTS_TLS = 400

type Protocol = 'http:' | 'https:'

/** Results of this process, by sender and host: the sender decides which server is reached. */
const found = new WeakMap<Sender, Map<string, Promise<Protocol>>>()

/**
 * Detects the protocol of a server on this machine: https if it speaks TLS, else plain http, as Docker
 * does. Requests `/v2/` without credentials. A server with an untrusted certificate is not
 * contacted
 * over plain http.
 */
export async function detectProtocol(
  send: Sender,
  host: string,
  timeout: number | false,
  signal?: AbortSignal,
): Promise<Protocol> {
  signal?.throwIfAborted()
  const hosts = found.get(send) ?? new Map<string, Promise<Protocol>>()
  found.set(send, hosts)
  const known = hosts.get(host)
  if (known !== undefined) return raceAbort(known, signal)
  // Without the caller's signal: other calls wait for the same result.
  const detected = detect(send, host, Math.min(timeout || DETECT_TIME, DETECT_TIME)).then(
    ({ protocol, isSure }) => {
      if (!isSure) hosts.delete(host)
      return protocol
    },
  )
  hosts.set(host, detected)
  return raceAbort(detected, signal)
}

async function detect(
  send: Sender,
  host: string,
  milliseconds: number,
): Promise<{ readonly protocol: Protocol; readonly isSure: boolean }> {
  const ask = async (protocol: Protocol): Promise<number | Error> => {
    try {
      const response = await send(new URL(`${protocol}//${host}/v2/`), {
        method: 'GET',
        headers: new Headers(),
        redirect: 'manual',
        deadline: { milliseconds, error: () => new Error('no response in time') },
      })
      discard(response)
      return response.status
    } catch (error) {
      return error as Error
    }
  }
  const secure = await ask('https:')
  const reason = typeof secure === 'number' ? '' : reasonOf(secure)
  if (typeof secure === 'number' || isOfCertificate(secure) || TLS_ALERT.test(reason))
    return { protocol: 'https:', isSure: true }
  if (NOT_TLS.test(reason)) return { protocol: 'http:', isSure: true }
  if (codeOf(secure) === 'ECONNREFUSED') return { protocol: 'http:', isSure: false }
  // Workers report no reason, and some servers only close the connection.
  const plain = await ask('http:')
  const isPlain = typeof plain === 'number' && plain !== WANTS_TLS
  return { protocol: isPlain ? 'http:' : 'https:', isSure: isPlain }
}

/** Code and message of the deepest cause. */
function reasonOf(error: Error): string {
  let last = error
  for (let depth = 0; depth < 5 && last.cause instanceof Error; depth++) last = last.cause
  return `${codeOf(error) ?? ''} ${last.message}`
}
