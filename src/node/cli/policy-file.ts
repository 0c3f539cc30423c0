import { dirname, resolve } from 'node:path'
import { isJsonObject, parseUniqueJson } from '../../bytes/json.ts'
import { schemeOfKey } from '../../bytes/pem.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { publicGoodRoot } from '../../trust/trust-root.ts'
import type { IdentityPolicy, KeyPolicy, Policy } from '../../trust/policy.ts'
import { CommandError } from './io.ts'
import { readTextFile } from './text-file.ts'

/** As the library nests policies. */
const MAX_DEPTH = 8

type Rule = Record<string, unknown>

/** Keys of one rule that go to the library as they are; it checks them. */
const PLAIN = [
  'requireTransparencyLog',
  'annotations',
  'predicateTypes',
  'formats',
  'reference',
  'threshold',
  'extensions',
  'requireSct',
  'time',
]
const READ = [
  'key',
  'identity',
  'identityRegexp',
  'issuer',
  'issuerRegexp',
  'trustedRoot',
  'anyOf',
  'allOf',
]

/**
 * Reads a policy file: the library's `Policy` as JSON, with files named in place of what they hold.
 *
 * `{ "key": "cosign.pub" }`, a PEM text or a list of either; or `{ "identity": …, "issuer": … }`, each
 * also as `identityRegexp` and `issuerRegexp`, which have to match the whole; or `{ "anyOf": […] }` and
 * `{ "allOf": […] }` of such. `trustedRoot` is a file's name or the object itself, and the public-good
 * instance's when it is left out. The other keys are those of `Policy`. Names of files are from the
 * policy's folder. A key that is not known is refused: it might have been meant to be strict.
 */
export async function loadPolicyFile(path: string): Promise<Policy> {
  const text = await readTextFile(path, 'the policy')
  const where = `the policy ${path}`
  return readRule(parseUniqueJson(encodeUtf8(text), where), dirname(path), where, 0)
}

async function readRule(
  value: unknown,
  folder: string,
  where: string,
  depth: number,
): Promise<Policy> {
  if (!isJsonObject(value) || depth > MAX_DEPTH)
    throw new CommandError(
      `${where}: a policy is an object with "key", "identity" and "issuer", "anyOf" or "allOf"`,
    )
  for (const name of Object.keys(value))
    if (!READ.includes(name) && !PLAIN.includes(name))
      throw new CommandError(
        `${where}: the key ${JSON.stringify(name)} is not known; "spindle verify --help" has those that are`,
      )
  const rule: Rule = Object.create(null) as Rule
  for (const name of PLAIN) if (Object.hasOwn(value, name)) rule[name] = value[name]
  for (const name of ['anyOf', 'allOf']) {
    if (!Object.hasOwn(value, name)) continue
    const list = value[name]
    if (!Array.isArray(list)) throw new CommandError(`${where}: "${name}" is a list of policies`)
    const rules: Policy[] = []
    for (const [i, item] of list.entries())
      rules.push(await readRule(item, folder, `${where}, ${name}[${i}]`, depth + 1))
    rule[name] = rules
  }
  if (Object.hasOwn(value, 'key')) {
    const keys = Array.isArray(value['key']) ? (value['key'] as unknown[]) : [value['key']]
    rule['key'] = await Promise.all(keys.map((key) => readKey(key, folder, where)))
  }
  for (const name of ['identity', 'issuer']) {
    const pattern = `${name}Regexp`
    if (Object.hasOwn(value, name) && Object.hasOwn(value, pattern))
      throw new CommandError(`${where}: "${name}" and "${pattern}" say the same; give one of them`)
    if (Object.hasOwn(value, name)) rule[name] = value[name]
    if (Object.hasOwn(value, pattern))
      rule[name] = patternOf(value[pattern], `${where}: "${pattern}"`)
  }
  const root = value['trustedRoot']
  if (typeof root === 'string')
    rule['trustedRoot'] = await readTextFile(resolve(folder, root), 'the trusted root')
  else if (root !== undefined) rule['trustedRoot'] = root
  else if ('identity' in rule || ('key' in rule && rule['requireTransparencyLog'] !== false))
    rule['trustedRoot'] = publicGoodRoot
  return { ...rule } as unknown as KeyPolicy | IdentityPolicy
}

async function readKey(value: unknown, folder: string, where: string): Promise<string> {
  if (typeof value !== 'string' || value === '')
    throw new CommandError(`${where}: "key" is a file's name or PEM text, or a list of such`)
  if (value.includes('-----BEGIN')) return value
  const scheme = schemeOfKey(value)
  if (scheme !== undefined)
    throw new CommandError(
      `${where}: the public key can't be taken from ${scheme}: give a file's name or PEM text`,
    )
  return readTextFile(resolve(folder, value), 'the public key')
}

/** A pattern that has to match the whole. */
export function patternOf(source: unknown, what: string): RegExp {
  if (typeof source !== 'string' || source === '')
    throw new CommandError(`${what} is a regular expression that is not empty`)
  try {
    return new RegExp(source, 'u')
  } catch (cause) {
    throw new CommandError(`${what} is no regular expression`, { cause })
  }
}
