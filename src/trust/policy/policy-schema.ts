/**
 * The keys of a policy: in which rules each may stand, what it has to be, and how a policy file writes
 * it. One table for the library, policy files and flags: what it does not let pass is refused.
 */
import { isPlainObject } from '../../bytes/json.ts'
import { unknownName } from '../../bytes/known-names.ts'
import { EXTENSION_NAMES } from '../x509/identity.ts'
import type { AllOfPolicy, AnyOfPolicy, IdentityPolicy, KeyPolicy } from './policy.ts'

/** What tells rules apart: each has exactly one of these keys. */
const KINDS = ['key', 'identity', 'anyOf', 'allOf'] as const
export type RuleKind = (typeof KINDS)[number]

/** Deepest nesting of `anyOf` and `allOf`, and most rules of one of them; most keys of a rule. */
const MAX_DEPTH = 8
const MAX_RULES = 64

/** A value, and what it has to be, for messages. */
interface Shape {
  readonly expected: string
  readonly isValid: (value: unknown) => boolean
}

interface KeySchema extends Shape {
  readonly kinds: readonly RuleKind[]
  /** As JSON in a policy file, where that differs. */
  readonly inFile?: Shape
}

export type PolicyKey =
  keyof KeyPolicy | keyof IdentityPolicy | keyof AnyOfPolicy | keyof AllOfPolicy
/** Patterns, which JSON has no value for. */
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
const TEXT: Shape = { expected: 'a string that is not empty', isValid: isText }
const TEXT_OR_PATTERN: Shape = {
  expected:
    'a string that is not empty, or a pattern that is not empty, without the flags g, m and y',
  isValid: (value) => isText(value) || isPattern(value),
}

export const POLICY_SCHEMA: Readonly<Record<PolicyKey, KeySchema>> = {
  key: {
    kinds: ['key'],
    expected: `a public key as PEM text, DER or CryptoKey, or a list of 1 to ${MAX_RULES} of them`,
    isValid: (value) => isKey(value) || isList(value, isKey),
    inFile: {
      expected: `the name of a file or PEM text, or a list of 1 to ${MAX_RULES} of them`,
      isValid: (value) => isText(value) || isList(value, isText),
    },
  },
  identity: { kinds: ['identity'], ...TEXT_OR_PATTERN, inFile: TEXT },
  issuer: { kinds: ['identity'], ...TEXT_OR_PATTERN, inFile: TEXT },
  extensions: {
    kinds: ['identity'],
    expected: 'an object of strings, neither of them empty',
    isValid: (value) => isPlainObject(value) && hasMembers(value, isText),
  },
  requireSct: { kinds: ['identity'], ...BOOLEAN },
  time: { kinds: ['identity'], ...oneOf('any', 'log', 'authority', 'now') },
  trustedRoot: {
    kinds: LEAVES,
    expected: 'a trusted_root.json, as text or parsed',
    isValid: (value) => isText(value) || isObject(value),
    inFile: {
      expected: 'the name of a file, or the object that it holds',
      isValid: (value) => isText(value) || isObject(value),
    },
  },
  requireTransparencyLog: { kinds: LEAVES, ...BOOLEAN },
  annotations: {
    kinds: LEAVES,
    expected: 'an object of strings that is not empty',
    isValid: (value) =>
      isPlainObject(value) && hasMembers(value, (member) => typeof member === 'string'),
  },
  predicateTypes: {
    kinds: LEAVES,
    expected: 'a list of strings, neither of them empty',
    isValid: (value) => isList(value, isText),
  },
  formats: {
    kinds: LEAVES,
    expected: "a list of 'bundle' and 'legacy' that is not empty",
    isValid: (value) => isList(value, (format) => format === 'bundle' || format === 'legacy'),
  },
  reference: { kinds: LEAVES, ...TEXT },
  threshold: {
    kinds: ['key', 'identity', 'anyOf'],
    expected: 'a whole number, 1 or more',
    isValid: (value) => Number.isSafeInteger(value) && (value as number) >= 1,
  },
  anyOf: { kinds: ['anyOf'], ...RULES },
  allOf: { kinds: ['allOf'], ...RULES },
}

/** Further keys of policy files, and what they stand for. */
const FILE_KEYS: Readonly<Record<FileKey, { standsFor: 'identity' | 'issuer' } & Shape>> = {
  identityRegexp: { standsFor: 'identity', ...TEXT },
  issuerRegexp: { standsFor: 'issuer', ...TEXT },
}

interface CheckedRule<Kind> {
  readonly kind: Kind
  /** Own keys with their values; those that were `undefined` left out. */
  readonly values: Readonly<Record<string, unknown>>
}

/** A policy whose keys were checked, nested rules included. */
export type CheckedPolicy =
  | CheckedRule<'key'>
  | CheckedRule<'identity'>
  | { readonly kind: 'anyOf'; readonly rules: readonly CheckedPolicy[]; readonly threshold: number }
  | { readonly kind: 'allOf'; readonly rules: readonly CheckedPolicy[] }

/**
 * Checks a policy against the table, nested rules included, and reads each of its keys once.
 * @param form `file`: as JSON of a policy file.
 * @throws `TypeError` that names the key, where it stands and where it may stand.
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
      `${path === '' ? 'a policy is' : `\`${path}\` should be`} an object with one of \`key\`, \`identity\`, \`anyOf\` and \`allOf\`, and no list, map or class instance`,
    )
  const values = readKeys(policy, form, path)
  const kindOf = (key: string): string => (isFileKey(key) ? FILE_KEYS[key].standsFor : key)
  const kinds = KINDS.filter((kind) => Object.keys(values).some((key) => kindOf(key) === kind))
  const [kind, surplus] = kinds
  if (kind === undefined || surplus !== undefined)
    throw new TypeError(
      `a policy has exactly one of \`key\`, \`identity\`, \`anyOf\` and \`allOf\`, not ${kinds.join(' and ') || 'none'}${path === '' ? '' : `: see \`${path}\``}`,
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
    throw new TypeError(`${name(kind)} is nested too deep: policies nest at most ${MAX_DEPTH} deep`)
  const list = Array.from(values[kind] as readonly unknown[])
  const rules = list.map((rule, i) =>
    checkRule(rule, form, `${path === '' ? '' : `${path}.`}${kind}[${i}]`, depth + 1),
  )
  if (kind === 'allOf') return { kind, rules }
  const threshold = (values['threshold'] ?? 1) as number
  if (threshold > rules.length)
    throw new TypeError(
      `${name('threshold')} is ${threshold}, but \`anyOf\` has ${rules.length} rules: no signatures can satisfy it`,
    )
  if (threshold > 1) rules.forEach((rule, i) => assertOneSigner(rule, name(`anyOf[${i}]`)))
  return { kind, rules, threshold }
}

/** Own keys alone: what a prototype has is nobody's policy. */
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

/** Why a key can't stand beside the one that makes a rule what it is, and where it can. */
function misplaced(shown: string, key: string, kind: RuleKind, kinds: readonly RuleKind[]): string {
  const where = kinds.map((place) => `\`${place}\``).join(' or ')
  if (kind === 'key' || kind === 'identity')
    return `${shown} can't stand beside \`${kind}\`: it belongs to a rule with ${where}`
  return kind === 'allOf' && key === 'threshold'
    ? `${shown} can't stand beside \`allOf\`, which asks for all of its rules: write it beside \`anyOf\`, or in a rule with \`key\` or \`identity\``
    : `${shown} can't stand beside \`${kind}\`: write it in each rule with ${where}`
}

function checkLeaf(
  kind: 'key' | 'identity',
  values: Readonly<Record<string, unknown>>,
  name: (key: string) => string,
): void {
  for (const [key, { standsFor }] of Object.entries(FILE_KEYS))
    if (key in values && standsFor in values)
      throw new TypeError(
        `${name(standsFor)} and ${name(key)} exclude each other: give one of them`,
      )
  if (kind === 'identity' && !('issuer' in values || 'issuerRegexp' in values))
    throw new TypeError(
      `${name('issuer')} is missing: an identity is only as good as who vouches for it`,
    )
  const { extensions } = values
  for (const extension of Object.keys((extensions ?? {}) as object))
    if (!EXTENSION_NAMES.includes(extension))
      throw new TypeError(
        unknownName(`${name('extensions')}: the extension`, extension, EXTENSION_NAMES),
      )
}

/** Of a rule below a threshold: one signature has to be enough to satisfy it. */
function assertOneSigner(rule: CheckedPolicy, shown: string): void {
  if (rule.kind === 'allOf')
    throw new TypeError(
      `${shown} is an \`allOf\`, which can't stand below a \`threshold\` above 1: it may have several signers; use \`allOf\` around \`anyOf\``,
    )
  if ((rule.kind === 'anyOf' ? rule.threshold : (rule.values['threshold'] ?? 1)) !== 1)
    throw new TypeError(
      `${shown} has a \`threshold\` below another \`threshold\` above 1: leave out one of them`,
    )
  if (rule.kind === 'anyOf') for (const inner of rule.rules) assertOneSigner(inner, shown)
}

/**
 * A pattern from text, as a policy file or a flag has it.
 * @throws `TypeError` naming `what`.
 */
export function parsePattern(source: string, what: string): RegExp {
  try {
    const pattern = new RegExp(source, 'u')
    if (isPattern(pattern)) return pattern
  } catch (cause) {
    throw new TypeError(`${what} is no regular expression`, { cause })
  }
  throw new TypeError(`${what} is a regular expression that is not empty`)
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

// `g` and `y` keep state between matches; `m` would let one line stand for the whole.
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
    // Not `every` of the list itself: it passes over holes.
    Array.from(value).every(isItem)
  )
}

function hasMembers(value: object, isMember: (member: unknown) => boolean): boolean {
  const members: unknown[] = Object.values(value)
  // What is not listed, as symbols are not, would not be read.
  return (
    members.length > 0 &&
    members.length === Reflect.ownKeys(value).length &&
    members.every(isMember)
  )
}
