import { SpindleError } from '../errors.ts'
import { isDigest, algorithmOf, hexOf } from '../bytes/digest.ts'
import type { Digest, Reference } from '../types.ts'

export type { Digest, Reference } from '../types.ts'

/** Options of `parseReference`. */
export interface ParseReferenceOptions {
  /** Registry for input that names none. Default: such input is rejected. */
  defaultRegistry?: string
  /** Tag for input with neither tag nor digest. Default: none. */
  defaultTag?: string
}

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
// A name of labels or a bracketed IPv6 address, and a port.
const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$/

/** Longest host and name together, in characters: the limit of other clients. */
const MAX_LENGTH = 255

/** Canonical name of Docker Hub, which has several. */
const HUB = 'docker.io'
const HUB_ALIASES: ReadonlySet<string> = new Set([
  HUB,
  'index.docker.io',
  'registry-1.docker.io',
  'registry.hub.docker.com',
])

/**
 * Parses a reference, as users type it.
 *
 * Exported from the main entry point and `spindle/reference`. Takes `host/name`,
 * `host/name:tag`, `host/name@digest` and `host/name:tag@digest`, where the digest takes
 * precedence. A leading
 * `https://` or `http://` selects the protocol and becomes `scheme`; `oci://` is
 * ignored.
 *
 * @example Parse a short name
 * ```ts
 * parseReference('ghcr.io/team/hello:1').tag // '1'
 * parseReference('nginx', { defaultRegistry: 'docker.io', defaultTag: 'latest' }).toString() // 'docker.io/library/nginx:latest'
 * ```
 * @throws `ERR_REFERENCE_INVALID`; the message names the invalid part.
 * @see {@link https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests Distribution Spec, names and tags}
 */
export function parseReference(input: string, options: ParseReferenceOptions = {}): Reference {
  if (typeof input !== 'string') throw new TypeError('a reference is a string')
  const [prefix = '', written = ''] = /^(oci|https?):\/\//i.exec(input) ?? []
  const scheme = written.toLowerCase()
  const text = input.slice(prefix.length)
  const at = text.indexOf('@')
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1), input)
  const { registry, rest } = splitRegistry(at < 0 ? text : text.slice(0, at), input, options)
  const colon = rest.lastIndexOf(':')
  const name = colon < 0 ? rest : rest.slice(0, colon)
  const tag =
    colon < 0 ? (digest === undefined ? options.defaultTag : undefined) : rest.slice(colon + 1)
  const repository =
    registry === HUB && name !== '' && !name.includes('/') ? `library/${name}` : name
  if (!NAME.test(repository)) throw invalid(input, describeName(repository))
  if (registry.length + 1 + repository.length > MAX_LENGTH)
    throw invalid(input, `host and name are longer than ${MAX_LENGTH} characters`)
  if (tag !== undefined && !TAG.test(tag)) {
    throw invalid(
      input,
      `the tag ${JSON.stringify(tag)} must be 1 to 128 letters, digits, "_", "." and "-", and not begin with "." or "-"`,
    )
  }
  return createReference({
    registry,
    repository,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
    ...((scheme === 'http' || scheme === 'https') && { scheme }),
  })
}

function splitRegistry(
  text: string,
  input: string,
  options: ParseReferenceOptions,
): { registry: string; rest: string } {
  const slash = text.indexOf('/')
  const first = slash < 0 ? '' : text.slice(0, slash)
  const namesHost = first !== '' && (/[.:]/.test(first) || first === 'localhost')
  const host = namesHost ? first : options.defaultRegistry
  if (host === undefined)
    throw invalid(input, 'it names no registry; write HOST/NAME, as in ghcr.io/team/hello:1')
  if (!HOST.test(host) || Number(/:(\d+)$/.exec(host)?.[1] ?? 0) > 65535)
    throw invalid(input, `${JSON.stringify(host)} is not a host, with or without a port`)
  const lower = host.toLowerCase()
  return {
    registry: HUB_ALIASES.has(lower) ? HUB : lower,
    rest: namesHost ? text.slice(slash + 1) : text,
  }
}

function parseDigest(text: string, input: string): Digest {
  if (isDigest(text)) return text
  throw invalid(
    input,
    `${JSON.stringify(text)} is not a digest; write sha256: and 64 lower-case hexadecimal digits`,
  )
}

function describeName(name: string): string {
  if (name === '') return 'it has no repository name'
  if (/[A-Z]/.test(name)) return `the name ${JSON.stringify(name)} must be lower case`
  return `the name ${JSON.stringify(name)} must be lower-case letters and digits, joined by ".", "_", "__", "-" or "/"`
}

function invalid(input: string, problem: string): SpindleError {
  return new SpindleError(
    'ERR_REFERENCE_INVALID',
    `${JSON.stringify(input)} is not a reference: ${problem}`,
  )
}

/** Creates a reference from valid parts. */
export function createReference(parts: {
  registry: string
  repository: string
  tag?: string
  digest?: Digest
  scheme?: 'http' | 'https'
}): Reference {
  return { ...parts, toString: () => formatReference(parts) }
}

/** The canonical form: host and full name, then tag and digest if present. */
export function formatReference({
  registry,
  repository,
  tag,
  digest,
}: Pick<Reference, 'registry' | 'repository' | 'tag' | 'digest'>): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}

/**
 * The canonical form with the scheme, if there is one. `parseReference` restores the reference from
 * it.
 */
export function formatAddress(reference: Reference): string {
  const { scheme } = reference
  return `${scheme === undefined ? '' : `${scheme}://`}${formatReference(reference)}`
}

/** Whether a value has the shape of a parsed reference. */
export function isReference(value: unknown): value is Reference {
  if (typeof value !== 'object' || value === null) return false
  const { registry, repository, tag, digest, scheme } = value as Partial<
    Record<keyof Reference, unknown>
  >
  return (
    typeof registry === 'string' &&
    HOST.test(registry) &&
    typeof repository === 'string' &&
    NAME.test(repository) &&
    (tag === undefined || (typeof tag === 'string' && TAG.test(tag))) &&
    (digest === undefined || isDigest(digest)) &&
    (scheme === undefined || scheme === 'http' || scheme === 'https')
  )
}

/** Whether a text is a valid tag. */
export function isTag(text: string): boolean {
  return TAG.test(text)
}

/** Whether a text is a valid repository name, as in `team/hello`. */
export function isRepositoryName(text: string): boolean {
  return text.length <= MAX_LENGTH && NAME.test(text)
}

/** Host of a registry's API. That of Docker Hub differs from its name. */
export function apiHostOf(registry: string): string {
  return registry === HUB ? 'registry-1.docker.io' : registry
}

/**
 * The tag of the list of referrers of a manifest, on registries without the referrers API.
 * @see Distribution Spec 1.1, Referrers Tag Schema
 */
export function referrersTag(subject: Digest): string {
  return `${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`
}
