import { InvalidArgumentError } from 'commander'
import { parseReference } from '../../oci/reference.ts'
import { assertOrigins } from '../../serve/http/cors.ts'
import { createHostCheck } from '../../serve/http/host-names.ts'
import type { Reference } from '../../types.ts'
import { nonEmpty } from '../../node/files/environment.ts'
import { type CliIo, UsageError } from './io.ts'

/** Parsers of arguments and flag values. Errors are usage errors: exit code 2. */

export function referenceArgument(text: string): Reference {
  try {
    return parseReference(text, { defaultRegistry: 'docker.io', defaultTag: 'latest' })
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

/** For a repeatable argument. */
export function referenceArguments(text: string, before?: readonly Reference[]): Reference[] {
  return [...(before ?? []), referenceArgument(text)]
}

/** `HOST[:PORT]`, also from a URL. Docker Hub's other names become `docker.io`. */
export function serverArgument(text: string): string {
  return registryArgument(text).registry
}

/** Like `serverArgument`, with the scheme of a URL. */
export function registryArgument(text: string): Pick<Reference, 'registry' | 'scheme'> {
  const [scheme = ''] = /^https?:\/\//i.exec(text) ?? []
  const host = text.slice(scheme.length).replace(/\/.*$/, '')
  try {
    // A host without a dot or port would be parsed as part of the repository name.
    if (!/[.:]/.test(host) && host !== 'localhost')
      throw new Error('it has neither a dot nor a port')
    return parseReference(`${scheme}${host}/x`)
  } catch {
    throw new InvalidArgumentError('Write HOST or HOST:PORT, as in ghcr.io or localhost:5000.')
  }
}

/** `KEY=VALUE`, repeatable. */
export function pairOption(
  text: string,
  before: ReadonlyMap<string, string> = new Map(),
): Map<string, string> {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('Write KEY=VALUE.')
  return new Map(before).set(text.slice(0, equals), text.slice(equals + 1))
}

/** Like `pairOption`, but refuses a second value for a key. */
export function distinctPairOption(
  text: string,
  before: ReadonlyMap<string, string> = new Map(),
): Map<string, string> {
  const pairs = pairOption(text, before)
  if (pairs.size === before.size)
    throw new InvalidArgumentError('The key was given before: give each key once.')
  return pairs
}

export function countOption(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new InvalidArgumentError('Write a whole number from 1 to 999999.')
  return Number(text)
}

/** Bytes, as `4194304`, `4MiB` or `4MB`. */
export function sizeOption(text: string): number {
  const match = /^([1-9]\d{0,14})(?:(k|m|g)(i?)b?|b)?$/i.exec(text)
  if (match === null)
    throw new InvalidArgumentError('Write a number of bytes, as in 4194304, 4MiB or 4MB.')
  const [, digits = '', unit = '', binary = ''] = match
  const power = ['', 'k', 'm', 'g'].indexOf(unit.toLowerCase())
  return Number(digits) * (binary === '' ? 1000 : 1024) ** power
}

/** Milliseconds from seconds, for example `30` or `0.5`; `false` (no limit) for `0`. */
export function timeLimitOption(text: string): number | false {
  if (!/^\d{1,6}(?:\.\d{1,3})?$/.test(text))
    throw new InvalidArgumentError('Write seconds, as in 30 or 0.5; 0 for no limit.')
  return Math.round(Number(text) * 1000) || false
}

/** A time in RFC 3339 format, or whole seconds since 1970 as in `SOURCE_DATE_EPOCH`. */
export function timeOption(text: string): Date {
  const date = /^\d{1,11}$/.test(text) ? new Date(Number(text) * 1000) : new Date(text)
  const isDate =
    /^(?:\d{1,11}|\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))?)$/.test(text)
  if (!isDate || Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError(
      'Write a time as 2026-01-31T12:00:00Z, or as seconds since 1970.',
    )
  }
  return date
}

export interface Address {
  readonly host: string
  readonly port: number
}

/** `HOST:PORT`, `[IPV6]:PORT`, or `:PORT` for loopback. */
export function addressOption(text: string): Address {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^[\]:/]*)):(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65535)
    throw new InvalidArgumentError('Write HOST:PORT, as in 127.0.0.1:8080.')
  return {
    host: match[1] ?? (match[2] === '' || match[2] === undefined ? '127.0.0.1' : match[2]),
    port,
  }
}

/** Parses an environment variable like the flag that it replaces. */
export function variableOf<T>(
  { env }: Pick<CliIo, 'env'>,
  name: string,
  read: (text: string) => T,
): T | undefined {
  const text = nonEmpty(env[name])
  try {
    return text === undefined ? undefined : read(text)
  } catch (error) {
    // Commander reports such errors only for flags.
    if (error instanceof InvalidArgumentError) throw new UsageError(`${name}: ${error.message}`)
    throw error
  }
}

/** A bcrypt cost, the binary logarithm of its rounds. */
export function costOption(text: string): number {
  const cost = /^\d{1,2}$/.test(text) ? Number(text) : 0
  if (cost < 4 || cost > 31) throw new InvalidArgumentError('Write a whole number from 4 to 31.')
  return cost
}

/** An origin for CORS, repeatable. */
export function originOption(text: string, before: readonly string[] = []): readonly string[] {
  return oneMore(before, text, 'Write an origin, as in https://app.example.', () =>
    assertOrigins({ origins: [text] }),
  )
}

/** A host name that a server accepts, repeatable. */
export function hostNameOption(text: string, before: readonly string[] = []): readonly string[] {
  return oneMore(before, text, 'Write a host name, as in registry.test or *.registry.test.', () =>
    createHostCheck([text]),
  )
}

function oneMore(
  before: readonly string[],
  text: string,
  advice: string,
  check: () => unknown,
): readonly string[] {
  try {
    check()
  } catch {
    throw new InvalidArgumentError(advice)
  }
  return [...before, text]
}
