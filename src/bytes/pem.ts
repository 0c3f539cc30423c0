/** Textual encodings of keys and certificates. @see https://www.rfc-editor.org/rfc/rfc7468 */
import { SpindleError } from '../errors.ts'
import { formatBase64, parseBase64 } from './base64.ts'

interface PemBlock {
  /** What stands between `-----BEGIN ` and `-----`. */
  readonly label: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Longest text: a chain of ten certificates has 20 KiB. */
const MAX_PEM_CHARS: number = 64 * 1024

/**
 * All blocks of a text, in order; what stands around them is skipped, as every reader of PEM does.
 * @throws `ERR_CONTENT_INVALID` for a block that isn't well-formed, or when there is none;
 * `ERR_UNSUPPORTED` for the address of a key in place of the key.
 */
export function parsePem(text: string, what: string): PemBlock[] {
  if (text.length > MAX_PEM_CHARS)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `${what} is longer than ${MAX_PEM_CHARS} characters`,
    )
  const blocks: PemBlock[] = []
  for (const [, label = '', body = '', end] of text.matchAll(
    /-----BEGIN ([A-Z0-9 ]{1,64})-----([^-]*)-----END ([A-Z0-9 ]{1,64})-----/g,
  )) {
    const bytes = parseBase64(body.replace(/[\t\n\r ]/g, ''))
    if (label !== end || bytes === undefined || bytes.length === 0) {
      throw new SpindleError('ERR_CONTENT_INVALID', `${what} holds a damaged PEM block "${label}"`)
    }
    blocks.push({ label, bytes })
  }
  const scheme = blocks.length === 0 ? schemeOfKey(text) : undefined
  if (scheme !== undefined)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `${what} can't be taken from ${scheme}; give its PEM text, or a Signer that asks the key's service`,
    )
  if (blocks.length === 0)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `${what} is not PEM: it holds no "-----BEGIN" block`,
    )
  return blocks
}

/**
 * The scheme of a key's address as cosign takes it, such as `pkcs11:` or `awskms://`; the rest may
 * hold a PIN. `undefined` for what is none, as PEM text and paths.
 * @see https://docs.sigstore.dev/cosign/key_management/overview/
 * @see RFC 7512, The PKCS #11 URI Scheme
 */
export function schemeOfKey(text: string): string | undefined {
  return /^\s*(pkcs11:|[a-z][a-z0-9+.-]{0,31}:\/\/)/i.exec(text)?.[1]?.toLowerCase()
}

/** One block, 64 characters a line. */
export function formatPem(label: string, bytes: Uint8Array): string {
  const lines = formatBase64(bytes).match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
