import { raceAbort } from '../bytes/abort.ts'
import { discard } from './response-body.ts'
import type { Sender } from './sender.ts'
import { codeOf, isOfCertificate } from './network-error.ts'

/** Milliseconds for an answer of this machine. What is slower is taken for TLS through a tunnel. */
const DETECT_TIME = 3000

/**
 * What OpenSSL calls an answer that is not TLS, and one that refuses TLS in TLS, as for want of a
 * client's certificate. Node's own client has it in the message only, under the code EPROTO.
 */
const NOT_TLS = /wrong.version.number|packet.length.too.long/i
const TLS_ALERT = /alert/i
/** What servers of TLS say to plain http, as Go's, nginx and Apache. */
const WANTS_TLS = 400

type Protocol = 'http:' | 'https:'

/** Results of this process, by sender, as it decides which server is reached, and by host. */
const found = new WeakMap<Sender, Map<string, Promise<Protocol>>>()

/**
 * How a server on this machine is reached: by https if it speaks TLS, else by plain http, as Docker
 * does it. It is asked for `/v2/` once, without credentials. A certificate that is not trusted is one
 * all the same: such a server is not asked by plain http.
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
  // Without the caller's signal: others wait for the same.
  const asked = detect(send, host, Math.min(timeout || DETECT_TIME, DETECT_TIME)).then(
    ({ protocol, isSure }) => {
      if (!isSure) hosts.delete(host)
      return protocol
    },
  )
  hosts.set(host, asked)
  return raceAbort(asked, signal)
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
        deadline: { milliseconds, error: () => new Error('too late') },
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
  // Workers give no reason, and some servers just hang up.
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
