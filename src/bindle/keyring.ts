import { SpindleError } from '../errors.ts'
import { formatBase64, parseBase64 } from '../bytes/base64.ts'
import { decodeUtf8, encodeUtf8 } from '../bytes/text.ts'
import { INVOICE_ROLES, type InvoiceRole } from './invoice.ts'
import { createEd25519Key, type Ed25519Key, verifyEd25519 } from '../bytes/ed25519.ts'
import { type Fields, optional, reader, required, stringList, text } from '../bytes/fields.ts'
import { formatToml, parseToml, readToml } from '../bytes/toml.ts'

/** Public keys that a client or server knows. @see Bindle, Signing Specification, Keyrings */
export interface Keyring {
  readonly version: '1.0'
  readonly key: readonly KeyringEntry[]
}
export interface KeyringEntry {
  readonly label: string
  readonly roles: readonly InvoiceRole[]
  /** Base64 of the 32-byte public key. */
  readonly key: string
  /** Base64 of the key's own signature over the label. */
  readonly labelSignature?: string
}

/** Secret keys of a client (`secret_keys.toml`) or server (`signing-keys.toml`). */
export interface SecretKeys {
  readonly version: '1.0'
  readonly key: readonly SecretKeyEntry[]
}
export interface SecretKeyEntry {
  readonly label: string
  readonly roles: readonly InvoiceRole[]
  /** Base64 of seed ‖ public key, 64 bytes. */
  readonly keypair: string
}

/**
 * Reads `keyring.toml`. Unknown members are tolerated, as servers do.
 * @throws `ERR_CONTENT_INVALID`
 */
export function parseKeyring(source: string | Uint8Array, what = 'the keyring'): Keyring {
  return readKeyring(parseToml(source, what), what)
}

/** A keyring inside another document, or from JSON. */
export function readKeyring(value: unknown, what: string): Keyring {
  return {
    version: '1.0',
    key: readEntries(value, what).map((fields) => ({
      label: required(fields, 'label', text),
      roles: required(fields, 'roles', readRoles),
      key: required(fields, 'key', text),
      ...optional(fields, 'labelSignature', text),
    })),
  }
}

/** As `keyring.toml`, what `parseKeyring` reads. */
export function formatKeyring(keyring: Keyring): Uint8Array<ArrayBuffer> {
  return formatToml({
    version: keyring.version,
    key: keyring.key.map(({ label, roles, key, labelSignature }) => ({
      label,
      roles: [...roles],
      key,
      ...(labelSignature === undefined ? {} : { labelSignature }),
    })),
  })
}

/**
 * Reads `secret_keys.toml`.
 * @throws `ERR_CONTENT_INVALID`, never with key material in the message.
 */
export function parseSecretKeys(source: string | Uint8Array, what = 'the secret keys'): SecretKeys {
  const content = typeof source === 'string' ? source : decodeUtf8(source)
  if (content === undefined) throw notToml(what, 'it is not UTF-8')
  const { table: value, problem } = readToml(content, what)
  // The place is enough: the parser's own error quotes the line, which may be a key.
  if (problem !== undefined) throw notToml(what, `line ${problem.line}, column ${problem.column}`)
  return {
    version: '1.0',
    key: readEntries(value, what).map((fields) => ({
      label: required(fields, 'label', text),
      roles: required(fields, 'roles', readRoles),
      keypair: required(fields, 'keypair', text),
    })),
  }
}

function notToml(what: string, why: string): SpindleError {
  return new SpindleError('ERR_CONTENT_INVALID', `${what} is not TOML: ${why}`)
}

/** As `secret_keys.toml`, what `parseSecretKeys` reads: to be kept where only its owner may read. */
export function formatSecretKeys(keys: SecretKeys): Uint8Array<ArrayBuffer> {
  return formatToml({
    version: keys.version,
    key: keys.key.map(({ label, keypair, roles }) => ({ label, keypair, roles: [...roles] })),
  })
}

function readEntries(value: unknown, what: string): Fields[] {
  const fields = reader(value, what)
  const version = required(fields, 'version', text)
  if (version !== '1.0')
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `${what}.version is ${JSON.stringify(version)}; only "1.0" is known`,
    )
  const entries = fields.take('key')
  if (!Array.isArray(entries))
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `${what} lacks "key": write key = [] for an empty one`,
    )
  return entries.map((entry, index) => reader(entry, `${what}.key[${index}]`))
}

function readRoles(value: unknown, place: string): InvoiceRole[] {
  return stringList(value, place).map((role) => {
    if (!INVOICE_ROLES.includes(role as InvoiceRole)) {
      throw new SpindleError(
        'ERR_CONTENT_INVALID',
        `${place}: ${JSON.stringify(role)} is none of ${INVOICE_ROLES.join(', ')}`,
      )
    }
    return role as InvoiceRole
  })
}

/** A role as options give it: any case, white space around it, or its first letter. `undefined` when it is none. */
export function parseRole(input: string): InvoiceRole | undefined {
  const name = input.trim().toLowerCase()
  return INVOICE_ROLES.find((role) => role === name || role[0] === name)
}

/** Makes a new key. */
export async function generateSecretKey(
  label: string,
  roles: readonly InvoiceRole[],
): Promise<SecretKeyEntry> {
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const { publicKey } = await createEd25519Key(seed)
  const pair = new Uint8Array(64)
  pair.set(seed)
  pair.set(publicKey, 32)
  return { label, roles: [...roles], keypair: formatBase64(pair) }
}

/**
 * Opens a secret key; its halves must fit each other.
 * @throws `ERR_CONTENT_INVALID`
 */
export async function openSecretKey(entry: SecretKeyEntry): Promise<Ed25519Key> {
  const pair = parseBase64(entry.keypair)
  if (pair?.length !== 64)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the key pair of ${JSON.stringify(entry.label)} is not base64 of 64 bytes`,
    )
  const key = await createEd25519Key(pair.subarray(0, 32))
  if (formatBase64(key.publicKey) !== formatBase64(pair.subarray(32))) {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the two halves of the key pair of ${JSON.stringify(entry.label)} don't belong together`,
    )
  }
  return key
}

/** The first key that has the role and, when a label is given, contains it. */
export function selectSecretKey(
  keys: SecretKeys,
  role: InvoiceRole,
  label?: string,
): SecretKeyEntry | undefined {
  return keys.key.find(
    (entry) => entry.roles.includes(role) && (label === undefined || entry.label.includes(label)),
  )
}

/** The public half, with the label signed, for others' keyrings. */
export async function exportPublicKey(entry: SecretKeyEntry): Promise<KeyringEntry> {
  const key = await openSecretKey(entry)
  return {
    label: entry.label,
    roles: entry.roles,
    key: formatBase64(key.publicKey),
    labelSignature: formatBase64(await key.sign(encodeUtf8(entry.label))),
  }
}

/** Whether the key signed its label; `undefined` when it carries no such signature. */
export async function verifyKeyLabel(entry: KeyringEntry): Promise<boolean | undefined> {
  if (entry.labelSignature === undefined) return undefined
  const key = parseBase64(entry.key)
  const signature = parseBase64(entry.labelSignature)
  if (key === undefined || signature === undefined) return false
  return verifyEd25519(signature, encodeUtf8(entry.label), key)
}

/** Adds entries whose key is not there yet. */
export function mergeKeyrings(keyring: Keyring, more: Keyring): Keyring {
  const there = new Set(keyring.key.map((entry) => entry.key))
  return {
    version: '1.0',
    key: [...keyring.key, ...more.key.filter((entry) => !there.has(entry.key))],
  }
}
