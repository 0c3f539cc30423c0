/** Which services sign. @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto */
import { parseJson } from '../bytes/json.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import { SpindleError } from '../errors.ts'
import type { LogService } from './log-client.ts'
import { readField, type Field } from './wire-json.ts'

/** Where signing asks. `false` leaves a service out. */
export interface SigningServices {
  readonly fulcio: string
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

const MEDIA_TYPE = 'application/vnd.dev.sigstore.signingconfig.v0.2+json'
const MAX_SERVICES = 64

/**
 * The services that a `signing_config.v0.2.json` names for now: of each kind the highest version
 * that is known here, within its validity.
 *
 * @param input JSON text or what `JSON.parse` made of it.
 * @param options.now Default: this moment.
 * @throws `ERR_CONTENT_INVALID`; `ERR_UNSUPPORTED` when it names no usable Fulcio.
 */
export function parseSigningConfig(input: unknown, options: { now?: Date } = {}): SigningServices {
  const now = (options.now ?? new Date()).getTime()
  const config = readField(
    typeof input === 'string' ? parseJson(encodeUtf8(input), 'the signing config') : input,
    'signing config',
  )
  if (config.get('mediaType').string() !== MEDIA_TYPE)
    throw new SpindleError('ERR_UNSUPPORTED', 'signing configs of version 0.2 are supported')
  const fulcio = select(config.get('caUrls'), [1], now)
  if (fulcio === undefined)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      'the signing config names no certificate authority that is valid now and speaks version 1 of the API',
    )
  const rekor = select(config.get('rekorTlogUrls'), [1, 2], now)
  const timestamp = select(config.get('tsaUrls'), [1], now)
  return {
    fulcio: fulcio.url,
    rekor: rekor === undefined ? false : { url: rekor.url, version: rekor.version === 2 ? 2 : 1 },
    timestamp: timestamp?.url ?? false,
  }
}

function select(
  list: Field,
  versions: readonly number[],
  now: number,
): { url: string; version: number } | undefined {
  const usable = list
    .list(MAX_SERVICES)
    .map((service) => {
      const range = service.get('validFor')
      return {
        url: service.get('url').string(),
        version: service.get('majorApiVersion').count(),
        start: range.get('start').time(),
        end: range.get('end').optional()?.time() ?? Infinity,
      }
    })
    .filter(({ version, start, end }) => versions.includes(version) && now >= start && now <= end)
  // The newest of the highest version: shards of a log follow each other.
  return usable.sort((a, b) => b.version - a.version || b.start - a.start)[0]
}
