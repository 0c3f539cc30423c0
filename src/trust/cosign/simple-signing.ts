/** Formats legacy (simple signing) payloads and layers, byte-identical with cosign. */
import { formatBase64 } from '../../bytes/base64.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { formatPem } from '../../bytes/pem.ts'
import type { Descriptor, Digest } from '../../types.ts'
import {
  CERTIFICATE_KEY,
  CHAIN_KEY,
  LOG_KEY,
  PAYLOAD_KIND,
  SIGNATURE_KEY,
  TIMESTAMP_KEY,
} from '../wire/media-types.ts'
import type { LogEntry } from '../log/transparency-log.ts'

/**
 * Formats the signed payload.
 * @param reference `registry/repository`; Docker Hub is `index.docker.io/…`.
 */
export function formatPayload(
  about: Digest,
  reference: string,
  annotations: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const sorted = Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1))
  const optional =
    sorted.length === 0
      ? 'null'
      : `{${sorted.map(([key, value]) => `${goString(key)}:${goString(value)}`).join(',')}}`
  return encodeUtf8(
    `{"critical":{"identity":{"docker-reference":${goString(reference)}},"image":{"docker-manifest-digest":"${about}"},"type":"${PAYLOAD_KIND}"},"optional":${optional}}`,
  )
}

/** Escapes JSON like Go's `encoding/json`, which escapes characters that are special in HTML. */
export function escapeAsGo(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function goString(text: string): string {
  return escapeAsGo(JSON.stringify(text))
}

interface LayerParts {
  readonly signature: Uint8Array
  /** DER, leaf first. */
  readonly certificates: readonly Uint8Array[]
  readonly entry?: LogEntry
  readonly timestamp?: Uint8Array
}

/** Formats the annotations of a layer with a legacy signature. */
export function formatLayerAnnotations({
  signature,
  certificates,
  entry,
  timestamp,
}: LayerParts): Record<string, string> {
  const [leaf, ...chain] = certificates.map((der) => formatPem('CERTIFICATE', der))
  return {
    [SIGNATURE_KEY]: formatBase64(signature),
    ...(leaf !== undefined && { [CERTIFICATE_KEY]: leaf, [CHAIN_KEY]: chain.join('') }),
    ...(entry?.promise !== undefined && {
      [LOG_KEY]: JSON.stringify({
        SignedEntryTimestamp: formatBase64(entry.promise),
        Payload: {
          body: formatBase64(entry.body),
          integratedTime: entry.integratedTime,
          logIndex: entry.index,
          logID: entry.logId,
        },
      }),
    }),
    ...(timestamp !== undefined && {
      [TIMESTAMP_KEY]: JSON.stringify({ SignedRFC3161Timestamp: formatBase64(timestamp) }),
    }),
  }
}

/** The config blob of a `.sig` manifest, with the layers' digests as `diff_ids`, which some registries check. */
export function formatConfig(layers: readonly Descriptor[]): Uint8Array<ArrayBuffer> {
  const history = layers.map(() => ({ created: '0001-01-01T00:00:00Z' }))
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) }
  return encodeUtf8(
    JSON.stringify({
      architecture: '',
      created: '0001-01-01T00:00:00Z',
      history,
      os: '',
      rootfs,
      config: {},
    }),
  )
}
