import { type Command, CommanderError } from 'commander'
import { adviceOf, isSpindleError, ResponseError, type SpindleError } from '../../errors.ts'
import { ProxyError } from '../../node/fetch/proxy.ts'
import { serverArgument } from './arguments.ts'
import { type CliIo, CommandError, Interrupted, UsageError } from './io.ts'
import { flagFor } from './limit-flags.ts'
import { systemHint, systemProblem } from './system-failure.ts'
import { paintFor, printableBlock } from './text.ts'

/** Maximum causes that are printed. */
const MAX_CAUSES = 6

/**
 * Prints on stderr why a command failed, and returns its exit code: 1 failure, 2 usage error.
 * @param command The command that failed. Its flags replace option names of the library in hints.
 */
export function reportFailure(error: unknown, io: CliIo, command?: Command): number {
  // Already printed by commander. Its code 0 is for requested help.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const paint = paintFor(io.stderr, io.env)
  if (io.signal.aborted) {
    const reason: unknown = io.signal.reason
    io.stderr.write(`${reason instanceof Error ? reason.message : 'stopped'}\n`)
    return reason instanceof Interrupted ? reason.exitCode : 1
  }
  if (error instanceof Interrupted) return error.exitCode
  const code = isSpindleError(error) ? `[${error.code}]` : ''
  const lines = [`${paint('red', `error${code}:`)} ${printableBlock(messageOf(error))}`]
  for (const cause of causesOf(error))
    lines.push(`  ${paint('dim', 'caused by:')} ${printableBlock(cause)}`)
  const hint =
    error instanceof CommandError && error.hint !== undefined
      ? error.hint
      : hintFor(error, io, command)
  if (hint !== undefined) lines.push(`  ${paint('dim', 'hint:')} ${printableBlock(hint)}`)
  io.stderr.write(`${lines.join('\n')}\n`)
  return error instanceof UsageError ? 2 : 1
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.message !== '') return systemProblem(error) ?? problemOf(error)
  // Node reports failed connections to several addresses as one error without a message.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ')
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : error.name
}

/** The message without advice about an option of the library: the hint names the flag. */
function problemOf(error: Error): string {
  return isSpindleError(error) && error.remedy !== undefined ? error.problem : error.message
}

/** The message of every failed `fetch`; its cause has the details. */
const FETCH_FAILED = 'fetch failed'

/** Messages of the causes that add information. */
function causesOf(error: unknown): string[] {
  // The findings are complete; the error of the parser repeats them.
  if (isSpindleError(error) && error.code === 'ERR_APP_INVALID') return []
  const causes: string[] = []
  let said = messageOf(error)
  let current: unknown = error instanceof Error ? error.cause : undefined
  for (let depth = 0; depth < MAX_CAUSES && current !== undefined && current !== null; depth++) {
    const message = messageOf(current)
    if (message !== FETCH_FAILED && !said.includes(message)) causes.push(message)
    said += `\n${message}`
    current = current instanceof Error ? current.cause : undefined
  }
  return causes
}

/** The next step at a shell. The message itself applies everywhere. */
function hintFor(error: unknown, io: CliIo, command: Command | undefined): string | undefined {
  const system = firstOf(error, (one) => systemHint(one, io, command))
  if (system !== undefined) return system
  const found = withCode(error)
  if (found === undefined) return undefined
  const { remedy } = found
  const flag = remedy === undefined ? undefined : flagFor(remedy, command)
  if (remedy !== undefined && flag !== undefined) return adviceOf(remedy, flag)
  // The error is about the proxy; the hints below are about servers.
  if (found instanceof ProxyError) return undefined
  const { code, message } = found
  if (code === 'ERR_UNAUTHORIZED' && found instanceof ResponseError && isOfBindle(found.url)) {
    return 'give BINDLE_USERNAME and BINDLE_PASSWORD, or log in with "spindle bindle login"'
  }
  if (code === 'ERR_UNAUTHORIZED' && !message.includes('registry login')) {
    return `log in with "spindle registry login ${hostOf(found) ?? 'HOST'}"; logins of Docker and podman are used too`
  }
  // Other network errors are not about a server without HTTPS.
  if (code === 'ERR_NETWORK' && / https:/.test(message) && !message.includes('ENOTFOUND')) {
    return 'use --insecure for a server without HTTPS; add your own certificate authority with NODE_EXTRA_CA_CERTS'
  }
  return undefined
}

/** The registry that refused the request; a token service on another host is not a registry. */
function hostOf(error: SpindleError): string | undefined {
  if (!(error instanceof ResponseError) || !URL.canParse(error.url)) return undefined
  const { host, pathname } = new URL(error.url)
  return pathname.startsWith('/v2/') ? serverArgument(host) : undefined
}

function isOfBindle(url: string): boolean {
  return /\/(?:_[iqr]|bindle-keys|login)(?:[/?]|$)/.test(url)
}

function withCode(error: unknown): SpindleError | undefined {
  return firstOf(error, (one) => (isSpindleError(one) ? one : undefined))
}

/** The first result for an error and its causes. */
function firstOf<T>(error: unknown, read: (one: Error) => T | undefined): T | undefined {
  for (let current = error, depth = 0; depth < MAX_CAUSES && current instanceof Error; depth++) {
    const found = read(current)
    if (found !== undefined) return found
    current = current.cause
  }
  return undefined
}
