/**
 * The keys of a policy: which rules allow them, the values they take, and their values in a policy file.
 * One table for the library, policy files and flags; everything that it does not list is rejected.
 */
import { isPlainObject } from '../../bytes/json.ts'
import { unknownName } from '../../bytes/known-names.ts'
import { EXTENSION_NAMES } from '../x509/identity.ts'
import type { AllOfPolicy, AnyOfPolicy, IdentityPolicy, KeyPolicy } from './policy.ts'

/** The kinds of rules: each rule has exactly one of these keys. */
const KINDS = ['key', 'identity', 'anyOf', 'allOf'] as const
/** Kind of a rule. */
export type RuleKind = (typeof KINDS)[number]

/** Deepest nesting of `anyOf` and `allOf`; most rules in one of them, and most items of any list. */
const MAX_DEPTH = 8
const MAX_RULES = 64

/** Validates a value; `expected` describes it in error messages. */
interface Shape {
  readonly expected: string
  readonly isValid: (value: unknown) => boolean
}

interface KeySchema extends Shape {
  readonly kinds: readonly RuleKind[]
  /** The value in a policy file (JSON), where it differs. */
  readonly inFile?: Shape
}

/** A key of any kind of rule. */
export type PolicyKey =
  keyof KeyPolicy | keyof IdentityPolicy | keyof AnyOfPolicy | keyof AllOfPolicy
/** Keys for regular expressions, which JSON cannot represent. */
type FileKey = 'identityRegexp' | 'issuerRegexp'

const LEAVES = ['key', 'identity'] as const
const RULES: Shape = {
  expected: `a list of 1 to ${MAX_RULES} policies`,
  isValid: (value) => isList(value, () => true),
}
const BOOLEAN: Shape = {
  expected: 'true or false',
  isValid: (value) => typeof value === 'boolean',
}
const TEXT: Shape = { expected: 'a non-empty string', isValid: isText }
const TEXT_OR_PATTERN: Shape = {
  expected: 'a non-empty string, or a non-empty regular expression without the flags g, m and y',
  isValid: (value) => isText(value) || isPattern(value),
}

/** All keys of policies. */
export const POLICY_SCHEMA: Readonly<Record<PolicyKey, KeySchema>> = {
  key: {
    kinds: ['key'],
    expected: `a public key as PEM text, DER or CryptoKey, or a list of 1 to ${MAX_RULES} of them`,
    isValid: (value) => isKey(value) || isList(value, isKey),
    inFile: {
      expected: `a file name or PEM text, or a list of 1 to ${MAX_RULES} of them`,
      isValid: (value) => isText(value) || isList(value, isText),
    },
  },
  identity: { kinds: ['identity'], ...TEXT_OR_PATTERN, inFile: TEXT },
  issuer: { kinds: ['identity'], ...TEXT_OR_PATTERN, inFile: TEXT },
  extensions: {
    kinds: ['identity'],
    expected: 'a non-empty object with non-empty strings as values',
    isValid: (value) => isPlainObject(value) && hasMembers(value, isText),
  },
  requireSct: { kinds: ['identity'], ...BOOLEAN },
  time: { kinds: ['identity'], ...oneOf('any', 'log', 'authority', 'now') },
  trustedRoot: {
    kinds: LEAVES,
    expected: 'the content of a trusted_root.json, as text or parsed',
    isValid: (value) => isText(value) || isObject(value),
    inFile: {
      expected: 'a file name, or the object of a trusted_root.json',
      isValid: (value) => isText(value) || isObject(value),
    },
  },
  requireTransparencyLog: { kinds: LEAVES, ...BOOLEAN },
  annotations: {
    kinds: LEAVES,
    expected: 'a non-empty object with strings as values',
    isValid: (value) =>
      isPlainObject(value) && hasMembers(value, (member) => typeof member === 'string'),
  },
  predicateTypes: {
    kinds: LEAVES,
    expected: `a list of 1 to ${MAX_RULES} non-empty strings`,
    isValid: (value) => isList(value, isText),
  },
  formats: {
    kinds: LEAVES,
    expected: "a non-empty list of 'bundle' and 'legacy'",
    isValid: (value) => isList(value, (format) => format === 'bundle' || format === 'legacy'),
  },
  reference: { kinds: LEAVES, ...TEXT },
  threshold: {
    kinds: ['key', 'identity', 'anyOf'],
    expected: 'a positive integer',
    isValid: (value) => Number.isSafeInteger(value) && (value as number) >= 1,
  },
  anyOf: { kinds: ['anyOf'], ...RULES },
  allOf: { kinds: ['allOf'], ...RULES },
}

/** Additional keys of policy files, and the keys that they replace. */
const FILE_KEYS: Readonly<Record<FileKey, { standsFor: 'identity' | 'issuer' } & Shape>> = {
  identityRegexp: { standsFor: 'identity', ...TEXT },
  issuerRegexp: { standsFor: 'issuer', ...TEXT },
}

interface CheckedRule<Kind> {
  readonly kind: Kind
  /** Own keys with their values, without those that are `undefined`. */
  readonly values: Readonly<Record<string, unknown>>
}

/** A validated policy, including its nested rules. */
export type CheckedPolicy =
  | CheckedRule<'key'>
  | CheckedRule<'identity'>
  | { readonly kind: 'anyOf'; readonly rules: readonly CheckedPolicy[]; readonly threshold: number }
  | { readonly kind: 'allOf'; readonly rules: readonly CheckedPolicy[] }

/**
 * Validates a policy against the table, including its nested rules. Reads each key once.
 * @param form `file`: the parsed JSON of a policy file.
 * @throws `TypeError` that names the key and its path, and the rules that allow it.
 */
export function checkPolicy(policy: unknown, form: 'library' | 'file'): CheckedPolicy {
  return checkRule(policy, form, '', 0)
}

function checkRule(
  policy: unknown,
  form: 'library' | 'file',
  path: string,
  depth: number,
): CheckedPolicy {
  const name = (key: string): string => `\`${path === '' ? key : `${path}.${key}`}\``
  if (!isPlainObject(policy))
    throw new TypeError(
      `${path === '' ? 'a policy' : `\`${path}\``} should be a plain object with one of \`key\`, \`identity\`, \`anyOf\` and \`allOf\``,
    )
  const values = readKeys(policy, form, path)
  const kindOf = (key: string): string => (isFileKey(key) ? FILE_KEYS[key].standsFor : key)
  const kinds = KINDS.filter((kind) => Object.keys(values).some((key) => kindOf(key) === kind))
  const [kind, surplus] = kinds
  if (kind === undefined || surplus !== undefined)
    throw new TypeError(
      `${path === '' ? 'a policy' : `\`${path}\``} should have exactly one of \`key\`, \`identity\`, \`anyOf\` and \`allOf\` and has ${kinds.map((found) => `\`${found}\``).join(' and ') || 'none'}`,
    )
  for (const [key, value] of Object.entries(values)) {
    const { kinds: places } = POLICY_SCHEMA[kindOf(key) as PolicyKey]
    if (!places.includes(kind)) throw new TypeError(misplaced(name(key), key, kind, places))
    const shape = shapeOf(key, form)
    if (!shape.isValid(value)) throw new TypeError(`${name(key)} should be ${shape.expected}`)
  }
  if (kind === 'key' || kind === 'identity') {
    checkLeaf(kind, values, name)
    return { kind, values }
  }
  if (depth === MAX_DEPTH)
    throw new TypeError(`${name(kind)} is nested deeper than the limit of ${MAX_DEPTH} levels`)
  const list = Array.from(values[kind] as readonly unknown[])
  const rules = list.map((rule, i) =>
    checkRule(rule, form, `${path === '' ? '' : `${path}.`}${kind}[${i}]`, depth + 1),
  )
  if (kind === 'allOf') return { kind, rules }
  const threshold = (values['threshold'] ?? 1) as number
  if (threshold > rules.length)
    throw new TypeError(
      `${name('threshold')} is ${threshold}, but \`anyOf\` has only ${rules.length} rules: it can never be satisfied`,
    )
  if (threshold > 1) rules.forEach((rule, i) => assertOneSigner(rule, name(`anyOf[${i}]`)))
  return { kind, rules, threshold }
}

/** Reads own keys only, so that nothing on a prototype becomes part of a policy. */
function readKeys(
  policy: Readonly<Record<string, unknown>>,
  form: 'library' | 'file',
  path: string,
): Record<string, unknown> {
  const known = [...Object.keys(POLICY_SCHEMA), ...(form === 'file' ? Object.keys(FILE_KEYS) : [])]
  const values: Record<string, unknown> = {}
  for (const key of Reflect.ownKeys(policy)) {
    if (typeof key !== 'string' || !known.includes(key))
      throw new TypeError(
        unknownName(path === '' ? 'the key' : `the key of \`${path}\`,`, key, known),
      )
    const value = policy[key]
    if (value !== undefined) values[key] = value
  }
  return values
}

function isFileKey(key: string): key is FileKey {
  return Object.hasOwn(FILE_KEYS, key)
}

function shapeOf(key: string, form: 'library' | 'file'): Shape {
  if (isFileKey(key)) return FILE_KEYS[key]
  const schema = POLICY_SCHEMA[key as PolicyKey]
  return form === 'file' ? (schema.inFile ?? schema) : schema
}

/** The message for a key in a rule that does not allow it. */
function misplaced(shown: string, key: string, kind: RuleKind, kinds: readonly RuleKind[]): string {
  const where = kinds.map((place) => `\`${place}\``).join(' or ')
  if (kind === 'key' || kind === 'identity')
    return `${shown} is not allowed in a rule with \`${kind}\`: it belongs to a rule with ${where}`
  return kind === 'allOf' && key === 'threshold'
    ? `${shown} is not allowed with \`allOf\`, which requires all of its rules: use it with \`anyOf\`, or in a rule with \`key\` or \`identity\``
    : `${shown} is not allowed with \`${kind}\`: write it in each rule with ${where}`
}

function checkLeaf(
  kind: 'key' | 'identity',
  values: Readonly<Record<string, unknown>>,
  name: (key: string) => string,
): void {
  for (const [key, { standsFor }] of Object.entries(FILE_KEYS))
    if (key in values && standsFor in values)
      throw new TypeError(`${name(standsFor)} and ${name(key)} cannot be combined: use one of them`)
  if (kind === 'identity' && !('issuer' in values || 'issuerRegexp' in values))
    throw new TypeError(
      `${name('issuer')} is missing: a policy with \`identity\` needs the issuer that authenticates it`,
    )
  const { extensions } = values
  for (const extension of Object.keys((extensions ?? {}) as object))
    if (!EXTENSION_NAMES.includes(extension))
      throw new TypeError(
        unknownName(`${name('extensions')}: the extension`, extension, EXTENSION_NAMES),
      )
}

/** Rejects a rule inside an `anyOf` with a threshold above 1 that needs more than one signature. */
function assertOneSigner(rule: CheckedPolicy, shown: string): void {
  if (rule.kind === 'allOf')
    throw new TypeError(
      `${shown} is an \`allOf\`, which is not allowed inside an \`anyOf\` with a \`threshold\` above 1 because it can need several signers: use \`allOf\` around \`anyOf\``,
    )
  if ((rule.kind === 'anyOf' ? rule.threshold : (rule.values['threshold'] ?? 1)) !== 1)
    throw new TypeError(
      `${shown} has a \`threshold\` inside an \`anyOf\` with a \`threshold\` above 1: remove one of them`,
    )
  if (rule.kind === 'anyOf') for (const inner of rule.rules) assertOneSigner(inner, shown)
}

/**
 * Parses a regular expression of a policy file or flag.
 * @throws `TypeError` naming `what`.
 */
export function parsePattern(source: string, what: string): RegExp {
  try {
    const pattern = new RegExp(source, 'u')
    if (isPattern(pattern)) return pattern
  } catch (cause) {
    throw new TypeError(`${what} is not a valid regular expression`, { cause })
  }
  throw new TypeError(`${what} should be a non-empty regular expression`)
}

function oneOf(...values: readonly string[]): Shape {
  return {
    expected: values.map((value) => `'${value}'`).join(', '),
    isValid: (value) => values.includes(value as string),
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// `g` and `y` keep state between matches; with `m`, one line could match instead of the entire value.
function isPattern(value: unknown): boolean {
  return value instanceof RegExp && value.source !== '(?:)' && !/[gmy]/.test(value.flags)
}

function isKey(value: unknown): boolean {
  return (
    isText(value) ||
    (value instanceof Uint8Array && value.length > 0) ||
    (isObject(value) && typeof (value as { type?: unknown }).type === 'string')
  )
}

function isList(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= MAX_RULES &&
    // Not `value.every`, which skips holes.
    Array.from(value).every(isItem)
  )
}

function hasMembers(value: object, isMember: (member: unknown) => boolean): boolean {
  const members: unknown[] = Object.values(value)
  // Reject symbols and non-enumerable keys, which would not be read.
  return (
    members.length > 0 &&
    members.length === Reflect.ownKeys(value).length &&
    members.every(isMember)
  )
}
