/** Addresses of the signing services. @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto */
import { parseUniqueJson } from '../../bytes/json.ts'
import { assertKnownOptions } from '../../bytes/known-names.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import type { LogService } from '../services/log-client.ts'
import { readField, type Field } from '../wire/wire-json.ts'

/** Addresses of the services for signing; `false` leaves a service out. */
export interface SigningServices {
  /** URL of the Fulcio certificate authority, without the path of the API. */
  readonly fulcio: string | false
  /** The Rekor transparency log. */
  readonly rekor: LogService | false
  /** URL of the timestamp authority's endpoint, including its path. */
  readonly timestamp: string | false
}

/**
 * The public-good instance of sigstore. Signatures made with it, and the signer's e-mail address, become
 * public permanently.
 *
 * Exported from `spindle/keyless`.
 */
export const publicGoodServices: SigningServices = {
  fulcio: 'https://fulcio.sigstore.dev',
  rekor: { url: 'https://rekor.sigstore.dev', version: 1 },
  timestamp: 'https://timestamp.sigstore.dev/api/v1/timestamp',
}

/**
 * @internal Validates `services`: a missing or misspelled service would be left out silently.
 * @throws `TypeError`.
 */
export function assertServices(
  services: Partial<SigningServices>,
  needed: readonly (keyof SigningServices)[],
): void {
  assertKnownOptions(services, SERVICES, '`services`')
  for (const kind of needed) {
    const service: unknown = services[kind]
    const { url, version } = (kind === 'rekor' ? (service ?? {}) : {}) as Partial<LogService>
    const isNamed =
      kind === 'rekor'
        ? typeof url === 'string' && url !== '' && (version === 1 || version === 2)
        : typeof service === 'string' && service !== ''
    if (service !== false && !isNamed)
      throw new TypeError(
        `\`services.${kind}\` should be ${kind === 'rekor' ? '`{ url, version }` with version 1 or 2' : 'a URL'}, or \`false\` to leave it out`,
      )
  }
}

const SERVICES: Readonly<Record<keyof SigningServices, true>> = {
  fulcio: true,
  rekor: true,
  timestamp: true,
}

const MEDIA_TYPE = 'application/vnd.dev.sigstore.signingconfig.v0.2+json'
const MAX_SERVICES = 64

/**
 * Selects the services of a `signing_config.v0.2.json`: of each kind, the valid one with the highest
 * supported API version.
 *
 * Exported from `spindle/keyless`.
 *
 * @example Sign with the services of a private sigstore instance
 * ```ts
 * const services = parseSigningConfig(await readFile('signing_config.json', 'utf8'))
 * const signer = createKeylessSigner({ identityToken, services, trustedRoot })
 * ```
 * @param input JSON text, or the result of `JSON.parse`.
 * @param options.now Time at which the services have to be valid. Default: the current time.
 * @returns `false` for each kind without services.
 * @throws `ERR_CONTENT_INVALID` for malformed JSON; `ERR_UNSUPPORTED` for another version of the format, or
 * when no listed service of a kind is usable, or more than one is required.
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
 */
export function parseSigningConfig(input: unknown, options: { now?: Date } = {}): SigningServices {
  const now = (options.now ?? new Date()).getTime()
  const config = readField(
    typeof input === 'string' ? parseUniqueJson(encodeUtf8(input), 'the signing config') : input,
    'signing config',
  )
  if (config.get('mediaType').string() !== MEDIA_TYPE)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      'the media type of the signing config is not supported: version 0.2 is',
    )
  // Reject unknown members, like `protojson` does: they could require something that is not implemented.
  config.only(
    'mediaType',
    'caUrls',
    'oidcUrls',
    'rekorTlogUrls',
    'rekorTlogConfig',
    'tsaUrls',
    'tsaConfig',
  )
  const rekor = select(config, 'rekorTlogUrls', [1, 2], now, 'rekorTlogConfig')
  return {
    fulcio: select(config, 'caUrls', [1], now)?.url ?? false,
    rekor: rekor !== undefined && { url: rekor.url, version: rekor.version === 2 ? 2 : 1 },
    timestamp: select(config, 'tsaUrls', [1], now, 'tsaConfig')?.url ?? false,
  }
}

interface Service {
  readonly url: string
  readonly version: number
  readonly operator: string | undefined
  readonly start: number
  readonly end: number
}

function select(
  config: Field,
  kind: string,
  versions: readonly number[],
  now: number,
  selection?: string,
): Service | undefined {
  const listed = config.get(kind).list(MAX_SERVICES).map(readService)
  const usable = listed
    .filter(({ version, start, end }) => versions.includes(version) && now >= start && now <= end)
    // Highest version first, then the latest start: newer shards of a log replace older ones.
    .sort((a, b) => b.version - a.version || b.start - a.start)
  if (listed.length > 0 && usable.length === 0)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `the signing config has no service in ${kind} that is valid now and has a supported API version (${versions.join(' or ')})`,
    )
  const rule = selection === undefined ? undefined : config.get(selection).optional()
  const operators = new Set(usable.map(({ operator }) => operator)).size
  const { least, wanted } = rule === undefined ? ANY : countsOf(rule, operators)
  // Signing uses one service of each kind, which does not satisfy a config that requires more.
  if (wanted > 1 || least > usable.length)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `the signing config requires ${Math.max(wanted, least)} services of ${kind} and has ${usable.length} usable ones: only one is supported`,
    )
  return usable[0]
}

const ANY = { least: 0, wanted: 1 }

/** Number of services that a selector requires to use (`wanted`) and to exist (`least`). */
function countsOf(rule: Field, operators: number): typeof ANY {
  const selector = rule.only('selector', 'count').get('selector').string()
  if (selector === 'ANY') return ANY
  if (selector === 'ALL') return { least: 0, wanted: operators }
  const count = selector === 'EXACT' ? rule.get('count').count() : 0
  if (count === 0)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `${rule.path} should be ANY, ALL, or EXACT with a count of 1 or more`,
    )
  return { least: count, wanted: count }
}

function readService(service: Field): Service {
  service.only('url', 'majorApiVersion', 'validFor', 'operator')
  const range = service.get('validFor').only('start', 'end')
  return {
    url: service.get('url').string(),
    version: service.get('majorApiVersion').count(),
    operator: service.get('operator').optional()?.string(),
    start: range.get('start').time(),
    end: range.get('end').optional()?.time() ?? Infinity,
  }
}
