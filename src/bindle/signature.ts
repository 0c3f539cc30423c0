import { SpindleError, SignatureInvalid, PolicyRejected } from '../errors.ts'
import { formatBase64, parseBase64 } from '../bytes/base64.ts'
import { type Ed25519Key, verifyEd25519 } from '../bytes/ed25519.ts'
import { isPlainObject } from '../bytes/json.ts'
import { assertKnownOptions } from '../bytes/known-names.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import type { Invoice, InvoiceRole, InvoiceSignature } from './invoice.ts'
import { INVOICE_ROLES } from './invoice.ts'
import type { Keyring } from './keyring.ts'

/**
 * What a signature covers, byte for byte: signer, name, version, role, `~`, then one line per
 * parcel in document order; no line feed at the end.
 *
 * The document describes one more line, the time; no server or client ever wrote it (deislabs/bindle#284).
 */
export function signatureText(
  invoice: Invoice,
  by: string,
  role: InvoiceRole,
): Uint8Array<ArrayBuffer> {
  const parcels = (invoice.parcel ?? []).map((parcel) => parcel.label.sha256)
  return encodeUtf8(
    [by, invoice.bindle.name, invoice.bindle.version, role, '~', ...parcels].join('\n'),
  )
}

export interface SignInvoiceOptions {
  role: InvoiceRole
  /** The signer's name, by convention the key's label. */
  by: string
  /** Default: now. Not covered by the signature. */
  at?: Date
}

/**
 * Adds a signature to an invoice; those that are there stay.
 *
 * Exported from `spindle/bindle`.
 *
 * @example Sign as the author
 * ```ts
 * const key = await openSecretKey(selectSecretKey(keys, 'creator')!)
 * const signed = await signInvoice(invoice, key, { role: 'creator', by: 'Ada <ada@example.com>' })
 * ```
 * @throws `ERR_CONFLICT` when the key has signed the invoice already, in whatever role.
 * @see Bindle, Signing Specification
 */
export async function signInvoice(
  invoice: Invoice,
  key: Ed25519Key,
  options: SignInvoiceOptions,
): Promise<Invoice> {
  const publicKey = formatBase64(key.publicKey)
  if (invoice.signature?.some((signature) => signature.key === publicKey) === true) {
    throw new SpindleError(
      'ERR_CONFLICT',
      'cannot sign the data again with a key that has already signed the data',
    )
  }
  if (/[\r\n]/.test(options.by))
    throw new TypeError('"by" must be one line: the signed text has a line for it')
  const signature: InvoiceSignature = {
    by: options.by,
    signature: formatBase64(await key.sign(signatureText(invoice, options.by, options.role))),
    key: publicKey,
    role: options.role,
    at: Math.floor((options.at ?? new Date()).getTime() / 1000),
  }
  return { ...invoice, signature: [...(invoice.signature ?? []), signature] }
}

/** How much must hold. `attestations` names the roles that must have signed. */
export type VerificationStrategy =
  | 'creative'
  | 'authoritative'
  | 'greedy'
  | 'exhaustive'
  | { readonly attestations: readonly InvoiceRole[]; readonly greedy?: boolean }

export interface VerifyInvoiceOptions {
  /** Default `greedy`, as a server's. */
  strategy?: VerificationStrategy
  /** Count a key only for the roles that the keyring gives it. The reference server ignores them. Default false. */
  honourRoles?: boolean
  /** Accept an invoice without signatures, as servers before 0.9 do. Default false. */
  allowUnsigned?: boolean
}

export interface VerifiedInvoiceSigner {
  readonly by: string
  readonly role: InvoiceRole
  readonly key: string
}

/** Who made it, who approved, who passed it on: a few. Each is verified over all parcels. */
const MAX_SIGNATURES = 100

interface Rules {
  readonly roles: readonly InvoiceRole[]
  /** Every signature must be cryptographically valid, not only those of `roles`. */
  readonly allValid: boolean
  /** Signers must be known: all that were checked, not only one. */
  readonly allVerified: boolean
  readonly allRoles: boolean
}

function rulesOf(strategy: VerificationStrategy): Rules {
  if (typeof strategy === 'object') {
    return {
      roles: strategy.attestations,
      allValid: strategy.greedy === true,
      allVerified: true,
      allRoles: true,
    }
  }
  switch (strategy) {
    case 'creative':
      return { roles: ['creator'], allValid: false, allVerified: true, allRoles: true }
    case 'authoritative':
      return {
        roles: ['creator', 'approver'],
        allValid: false,
        allVerified: false,
        allRoles: false,
      }
    case 'greedy':
      return { roles: ['creator'], allValid: true, allVerified: true, allRoles: true }
    case 'exhaustive':
      return { roles: INVOICE_ROLES, allValid: true, allVerified: true, allRoles: false }
  }
}

const STRATEGIES: readonly unknown[] = ['creative', 'authoritative', 'greedy', 'exhaustive']
/** `keyring` stands beside them in the `verify` of `pullBindle`. */
const OPTIONS: Readonly<Record<keyof VerifyInvoiceOptions | 'keyring', true>> = {
  strategy: true,
  honourRoles: true,
  allowUnsigned: true,
  keyring: true,
}

/** What is not understood may have been meant to be stricter. */
function assertOptions(options: VerifyInvoiceOptions): void {
  assertKnownOptions(options, OPTIONS, 'verifyInvoice')
  const { strategy = 'greedy', honourRoles, allowUnsigned } = options
  const switches: Record<string, unknown> = { honourRoles, allowUnsigned }
  if (isPlainObject(strategy)) {
    const { attestations: roles, greedy } = strategy as { attestations?: unknown; greedy?: unknown }
    assertKnownOptions(strategy, { attestations: true, greedy: true }, 'the `strategy`')
    if (
      !Array.isArray(roles) ||
      !roles.every((role) => INVOICE_ROLES.includes(role as InvoiceRole))
    )
      throw new TypeError(`\`attestations\` is a list of roles: ${INVOICE_ROLES.join(', ')}`)
    switches['greedy'] = greedy
  } else if (!STRATEGIES.includes(strategy))
    throw new TypeError(`\`strategy\` is ${STRATEGIES.join(', ')} or { attestations }`)
  for (const [name, value] of Object.entries(switches))
    if (value !== undefined && typeof value !== 'boolean')
      throw new TypeError(`\`${name}\` is true or false`)
}

/**
 * Verifies an invoice's signatures against a keyring, by the reference server's algorithm.
 *
 * Exported from `spindle/bindle`.
 *
 * @returns The signers that are known and were checked; empty only with `allowUnsigned`.
 * @throws `ERR_SIGNATURE_INVALID` for a damaged signature, `ERR_POLICY_REJECTED` when the strategy
 * isn't met, `ERR_LIMIT_EXCEEDED` for more than a hundred signatures.
 * @see Bindle, Signing Specification, Verification Strategies
 */
export async function verifyInvoice(
  invoice: Invoice,
  keyring: Keyring,
  options: VerifyInvoiceOptions = {},
): Promise<VerifiedInvoiceSigner[]> {
  assertOptions(options)
  const rules = rulesOf(options.strategy ?? 'greedy')
  if (invoice.signature === undefined) {
    if (options.allowUnsigned === true) return []
    throw new PolicyRejected(
      'NO_SIGNATURES',
      'No signatures found on invoice. At least one signature is required',
      [],
    )
  }
  const count = invoice.signature.length
  if (count > MAX_SIGNATURES)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the invoice has ${count} signatures; ${MAX_SIGNATURES} are looked at: leave out those that nobody asks for`,
    )
  const verified: VerifiedInvoiceSigner[] = []
  const filled = new Set<InvoiceRole>()
  for (const signature of invoice.signature) {
    const isTarget = rules.roles.includes(signature.role)
    if (!rules.allValid && !isTarget) continue
    const key = await assertSignature(invoice, signature)
    if (!isTarget && !rules.allVerified) continue
    if (rules.allRoles) filled.add(signature.role)
    if (isKnown(keyring, key, signature.role, options.honourRoles === true)) {
      verified.push({ by: signature.by, role: signature.role, key: signature.key })
    } else if (rules.allVerified) {
      throw new PolicyRejected(
        'NO_MATCHING_SIGNATURE',
        `strategy requires that all signatures for role(s) must be verified: the key of ${JSON.stringify(signature.by)} is not in the keyring${options.honourRoles === true ? ` as ${signature.role}` : ''}`,
        [],
      )
    }
  }
  if (verified.length === 0)
    throw new PolicyRejected(
      'NO_MATCHING_SIGNATURE',
      'none of the signatures are made with a known key',
      [],
    )
  const lacking = rules.allRoles ? rules.roles.find((role) => !filled.has(role)) : undefined
  if (lacking !== undefined)
    throw new PolicyRejected('NO_MATCHING_SIGNATURE', `No signature found for role ${lacking}`, [])
  return verified
}

async function assertSignature(invoice: Invoice, signature: InvoiceSignature): Promise<Uint8Array> {
  const key = parseBase64(signature.key)
  if (key?.length !== 32)
    throw new SignatureInvalid('BUNDLE_MALFORMED', `key is corrupt for \`${signature.by}\``)
  const raw = parseBase64(signature.signature)
  if (raw?.length !== 64)
    throw new SignatureInvalid(
      'BUNDLE_MALFORMED',
      `signature block is corrupt for key ${signature.key}`,
    )
  if (!(await verifyEd25519(raw, signatureText(invoice, signature.by, signature.role), key))) {
    throw new SignatureInvalid(
      'SIGNATURE_INVALID',
      `signatures \`${signature.key}\` cannot be verified`,
    )
  }
  return key
}

function isKnown(
  keyring: Keyring,
  key: Uint8Array,
  role: InvoiceRole,
  honourRoles: boolean,
): boolean {
  return keyring.key.some((entry) => {
    // Compared as bytes: padding may be missing in files of 0.9. Malformed keys are passed over.
    const known = parseBase64(entry.key)
    return (
      known?.length === 32 &&
      known.every((byte, i) => byte === key[i]) &&
      (!honourRoles || entry.roles.includes(role))
    )
  })
}

/**
 * Reads a strategy as servers' settings spell it.
 * @throws `TypeError`
 */
export function parseStrategy(input: string): VerificationStrategy {
  const name = input.trim().toLowerCase()
  const list = /^multipleattestation(greedy)?\[(.*)\]$/.exec(name)
  if (list !== null) {
    const attestations = (list[2] ?? '').split(',').map((role) => {
      const found = INVOICE_ROLES.find((known) => known === role.trim() || known[0] === role.trim())
      if (found === undefined)
        throw new TypeError(`${JSON.stringify(role.trim())} is none of ${INVOICE_ROLES.join(', ')}`)
      return found
    })
    return { attestations, greedy: list[1] !== undefined }
  }
  if (name.startsWith('multipleattestation') && name.includes('['))
    throw new TypeError("Missing closing ']' on roles")
  const strategy = STRATEGY_NAMES.get(name)
  if (strategy === undefined)
    throw new TypeError(
      `${JSON.stringify(input)} is no verification strategy; use ${[...STRATEGY_NAMES.keys()].join(', ')} or MultipleAttestation[role, …]`,
    )
  return strategy
}

const STRATEGY_NAMES: ReadonlyMap<string, VerificationStrategy> = new Map([
  ['creativeintegrity', 'creative'],
  ['authoritativeintegrity', 'authoritative'],
  ['greedyverification', 'greedy'],
  ['exhaustiveverification', 'exhaustive'],
])
