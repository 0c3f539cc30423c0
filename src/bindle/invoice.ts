import { SpindleError } from '../errors.ts'
import { documentBytes, tooLong } from '../bytes/document-limits.ts'
import { jsonLimits, parseJson } from '../bytes/json.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import { quotePath } from '../bytes/path.ts'
import { MAX_VERSION_LENGTH, parseVersion } from './semver.ts'
import { formatToml, parseToml, tomlLimits } from '../bytes/toml.ts'
import {
  type Fields,
  flag,
  integer,
  optional,
  reader,
  required,
  stringList,
  stringMap,
  table,
  tables,
  text,
} from '../bytes/fields.ts'

export type InvoiceRole = 'creator' | 'proxy' | 'host' | 'approver'
/** In what function one can sign an invoice. */
export const INVOICE_ROLES: readonly InvoiceRole[] = ['creator', 'proxy', 'host', 'approver']

/** Describes a parcel; names it by what it contains. */
export interface Label {
  /** Lower-case hexadecimal. */
  readonly sha256: string
  readonly mediaType: string
  readonly name: string
  /** In bytes. */
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
  /** Section → name → value. */
  readonly feature?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Where it came from, by convention another invoice's id. */
  readonly origin?: string
}

export interface Conditions {
  readonly memberOf?: readonly string[]
  readonly requires?: readonly string[]
}

export interface Parcel {
  readonly label: Label
  readonly conditions?: Conditions
}

export interface Group {
  readonly name: string
  readonly required?: boolean
  /** Free text; `allOf`, `oneOf` and `optional` are in use. */
  readonly satisfiedBy?: string
}

export interface InvoiceSignature {
  readonly by: string
  /** Base64 of 64 bytes. */
  readonly signature: string
  /** Base64 of the 32-byte public key. */
  readonly key: string
  readonly role: InvoiceRole
  /** UNIX seconds; not covered by the signature. */
  readonly at: number
}

/** The document that makes parcels one thing. @see Bindle, Invoice Specification */
export interface Invoice {
  /** Writers put `1.0.0`; readers take any. */
  readonly bindleVersion: string
  readonly yanked?: boolean
  readonly yankedSignature?: readonly InvoiceSignature[]
  readonly bindle: {
    readonly name: string
    readonly version: string
    readonly description?: string
    readonly authors?: readonly string[]
  }
  readonly annotations?: Readonly<Record<string, string>>
  /** In the order that signatures cover. */
  readonly parcel?: readonly Parcel[]
  readonly group?: readonly Group[]
  readonly signature?: readonly InvoiceSignature[]
}

export interface InvoiceLimits {
  /** Most keys: one of 10 000 parcels has some 140 000. Default 160 000, of JSON 200 000. */
  maxKeys?: number | undefined
  /** What raises `maxKeys`, in the message that says so. Default `maxKeys`. */
  option?: string
}

/**
 * Reads an invoice from TOML or, where a server answered so, JSON.
 *
 * Strict in keys and types as the reference server is; lenient in what it stores unchecked: the
 * shape of names and of digests. A `null` in JSON is an absent value.
 * @throws `ERR_CONTENT_INVALID` naming the place, `ERR_LIMIT_EXCEEDED`
 */
export function parseInvoice(
  source: Uint8Array | string,
  what = 'the invoice',
  format: 'toml' | 'json' = 'toml',
  { maxKeys, option = 'maxKeys' }: InvoiceLimits = {},
): Invoice {
  const most = documentBytes(maxKeys)
  if (source.length > most) throw tooLong(what, most, option)
  return readInvoice(
    format === 'toml'
      ? parseToml(source, what, tomlLimits(maxKeys, option))
      : parseJson(
          typeof source === 'string' ? encodeUtf8(source) : source,
          what,
          jsonLimits(maxKeys, option),
        ),
    what,
  )
}

/** An invoice inside another document, as in a server's answers. */
export function readInvoice(value: unknown, what: string): Invoice {
  const fields = reader(value, what)
  const invoice: Invoice = {
    bindleVersion: required(fields, 'bindleVersion', text),
    ...optional(fields, 'yanked', flag),
    ...optional(fields, 'yankedSignature', tables(readSignature)),
    bindle: required(fields, 'bindle', table(readSpec)),
    ...optional(fields, 'annotations', stringMap),
    ...optional(fields, 'parcel', tables(readParcel)),
    ...optional(fields, 'group', tables(readGroup)),
    ...optional(fields, 'signature', tables(readSignature)),
  }
  fields.end()
  return invoice
}

function readSpec(fields: Fields): Invoice['bindle'] {
  const spec = {
    name: required(fields, 'name', text),
    version: required(fields, 'version', text),
    ...optional(fields, 'description', text),
    ...optional(fields, 'authors', stringList),
  }
  if (parseVersion(spec.version) === undefined) {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `${fields.what}.version: ${quotePath(spec.version)} is not a full semantic version such as 1.2.3, of at most ${MAX_VERSION_LENGTH} characters`,
    )
  }
  return spec
}

function readParcel(fields: Fields): Parcel {
  return {
    label: required(fields, 'label', table(readLabel)),
    ...optional(
      fields,
      'conditions',
      table((inner) => ({
        ...optional(inner, 'memberOf', stringList),
        ...optional(inner, 'requires', stringList),
      })),
    ),
  }
}

/** A label on its own, as in a server's list of missing parcels. */
export function readLabel(fields: Fields): Label {
  return {
    sha256: required(fields, 'sha256', text),
    mediaType: required(fields, 'mediaType', text),
    name: required(fields, 'name', text),
    size: required(fields, 'size', integer),
    ...optional(fields, 'annotations', stringMap),
    ...optional(fields, 'feature', (value, place) => mapOfMaps(value, place)),
    ...optional(fields, 'origin', text),
  }
}

function mapOfMaps(value: unknown, place: string): Record<string, Record<string, string>> {
  const fields = reader(value, place)
  return Object.fromEntries(fields.keys().map((key) => [key, required(fields, key, stringMap)]))
}

function readGroup(fields: Fields): Group {
  return {
    name: required(fields, 'name', text),
    ...optional(fields, 'required', flag),
    ...optional(fields, 'satisfiedBy', text),
  }
}

function readSignature(fields: Fields): InvoiceSignature {
  const role = required(fields, 'role', text)
  if (!INVOICE_ROLES.includes(role as InvoiceRole)) {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `${fields.what}.role: ${JSON.stringify(role)} is none of ${INVOICE_ROLES.join(', ')}`,
    )
  }
  return {
    by: required(fields, 'by', text),
    signature: required(fields, 'signature', text),
    key: required(fields, 'key', text),
    role: role as InvoiceRole,
    at: required(fields, 'at', integer),
  }
}

/** Writes an invoice in the order of keys that the reference server writes. */
export function formatInvoice(invoice: Invoice): Uint8Array<ArrayBuffer> {
  return formatToml(orderedInvoice(invoice))
}

/** As `formatInvoice`, for documents that hold an invoice. */
export function orderedInvoice(invoice: Invoice): { readonly [key: string]: unknown } {
  return pick({
    bindleVersion: invoice.bindleVersion,
    yanked: invoice.yanked,
    yankedSignature: invoice.yankedSignature?.map(orderedSignature),
    bindle: pick({
      name: invoice.bindle.name,
      version: invoice.bindle.version,
      description: invoice.bindle.description,
      authors: invoice.bindle.authors,
    }),
    annotations: invoice.annotations === undefined ? undefined : sorted(invoice.annotations),
    parcel: invoice.parcel?.map(({ label, conditions }) =>
      pick({
        label: orderedLabel(label),
        conditions:
          conditions === undefined
            ? undefined
            : pick({ memberOf: conditions.memberOf, requires: conditions.requires }),
      }),
    ),
    group: invoice.group?.map(({ name, required: needed, satisfiedBy }) =>
      pick({ name, required: needed, satisfiedBy }),
    ),
    signature: invoice.signature?.map(orderedSignature),
  })
}

export function orderedLabel(label: Label): { readonly [key: string]: unknown } {
  return pick({
    sha256: label.sha256,
    mediaType: label.mediaType,
    name: label.name,
    size: label.size,
    origin: label.origin,
    annotations: label.annotations === undefined ? undefined : sorted(label.annotations),
    feature: label.feature === undefined ? undefined : sorted(label.feature, sorted),
  })
}

function orderedSignature({ by, signature, key, role, at }: InvoiceSignature): {
  readonly [key: string]: unknown
} {
  return { by, signature, key, role, at }
}

function pick(entries: { readonly [key: string]: unknown }): { readonly [key: string]: unknown } {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined))
}

function sorted<T>(
  map: Readonly<Record<string, T>>,
  each: (value: T) => unknown = (value) => value,
): { readonly [key: string]: unknown } {
  return Object.fromEntries(
    Object.keys(map)
      .sort()
      .map((key) => [key, each(map[key] as T)]),
  )
}
