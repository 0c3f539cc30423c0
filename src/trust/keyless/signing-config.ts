/** Which services sign. @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto */
import { parseUniqueJson } from '../../bytes/json.ts'
import { assertKnownOptions } from '../../bytes/known-names.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import type { LogService } from '../services/log-client.ts'
import { readField, type Field } from '../wire/wire-json.ts'

/** Where signing asks. `false` leaves a service out. */
export interface SigningServices {
  readonly fulcio: string | false
  readonly rekor: LogService | false
  /** Full address of the timestamp authority's endpoint. */
  readonly timestamp: string | false
}

/** The public-good instance: what is signed with it is public for ever, with the signer's e-mail address. */
export const publicGoodServices: SigningServices = {
  fulcio: 'https://fulcio.sigstore.dev',
  rekor: { url: 'https://rekor.sigstore.dev', version: 1 },
  timestamp: 'https://timestamp.sigstore.dev/api/v1/timestamp',
}

/**
 * @internal Refuses services that are named wrongly or not at all: whom nobody asks vouches for nothing.
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
        `\`services.${kind}\` is ${kind === 'rekor' ? '`{ url, version }` with version 1 or 2' : 'an address'}, or \`false\` to do without`,
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
 * The services that a `signing_config.v0.2.json` names for now: of each kind the highest version
 * that is known here, within its validity.
 *
 * @param input JSON text or what `JSON.parse` made of it.
 * @param options.now Default: this moment.
 * @returns `false` for each kind that it names none of.
 * @throws `ERR_CONTENT_INVALID`; `ERR_UNSUPPORTED` when it names services of which none can be used
 * now, or asks for signatures by more than one.
 */
export function parseSigningConfig(input: unknown, options: { now?: Date } = {}): SigningServices {
  const now = (options.now ?? new Date()).getTime()
  const config = readField(
    typeof input === 'string' ? parseUniqueJson(encodeUtf8(input), 'the signing config') : input,
    'signing config',
  )
  if (config.get('mediaType').string() !== MEDIA_TYPE)
    throw new SpindleError('ERR_UNSUPPORTED', 'signing configs of version 0.2 are supported')
  // A member that is not known is refused, as `protojson` does: it may ask for more than is done.
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
    // The newest of the highest version: shards of a log follow each other.
    .sort((a, b) => b.version - a.version || b.start - a.start)
  if (listed.length > 0 && usable.length === 0)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `the signing config names nothing in ${kind} that is valid now and speaks a known version of the API`,
    )
  const rule = selection === undefined ? undefined : config.get(selection).optional()
  const operators = new Set(usable.map(({ operator }) => operator)).size
  const { least, wanted } = rule === undefined ? ANY : countsOf(rule, operators)
  // One is asked. That is less than such a config wants, so it is not taken for it.
  if (wanted > 1 || least > usable.length)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `the signing config asks for ${wanted} services of ${kind} and names ${usable.length}, one is supported`,
    )
  return usable[0]
}

const ANY = { least: 0, wanted: 1 }

/** How many services a selector asks for, and how many there have to be. */
function countsOf(rule: Field, operators: number): typeof ANY {
  const selector = rule.only('selector', 'count').get('selector').string()
  if (selector === 'ANY') return ANY
  if (selector === 'ALL') return { least: 0, wanted: operators }
  const count = selector === 'EXACT' ? rule.get('count').count() : 0
  if (count === 0)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `${rule.path} has to be ANY, ALL, or EXACT with a count of 1 or more`,
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
