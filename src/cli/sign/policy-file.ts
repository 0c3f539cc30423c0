import { dirname, resolve } from 'node:path'
import { parseUniqueJson } from '../../bytes/json.ts'
import { schemeOfKey } from '../../bytes/pem.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { publicGoodRoot } from '../../trust/root/trust-root.ts'
import type { Policy } from '../../trust/policy/policy.ts'
import { checkPolicy, parsePattern, type CheckedPolicy } from '../../trust/policy/policy-schema.ts'
import { UsageError } from '../terminal/io.ts'
import { readTextFile } from '../terminal/text-file.ts'

/**
 * Reads a policy file: the library's `Policy` as JSON, with file names in place of keys and roots.
 *
 * `{ "key": "cosign.pub" }`, a PEM text or a list of either; or `{ "identity": …, "issuer": … }`, each
 * also as `identityRegexp` and `issuerRegexp`, which must match entirely; or `{ "anyOf": […] }` and
 * `{ "allOf": […] }` of such. `trustedRoot` is a file's name or the object itself, and the public-good
 * instance's when it is left out. The other keys are those of `Policy`. Names of files are from the
 * policy's folder.
 * @throws `UsageError` for what `checkPolicy` refuses.
 */
export async function loadPolicyFile(path: string): Promise<Policy> {
  const text = await readTextFile(path, 'the policy')
  const where = `the policy ${path}`
  const checked = asUsage(where, () => checkPolicy(parseUniqueJson(encodeUtf8(text), 'it'), 'file'))
  return readRule(checked, dirname(path), where)
}

async function readRule(checked: CheckedPolicy, folder: string, where: string): Promise<Policy> {
  if (checked.kind === 'anyOf' || checked.kind === 'allOf') {
    const rules: Policy[] = []
    for (const rule of checked.rules) rules.push(await readRule(rule, folder, where))
    return checked.kind === 'allOf'
      ? { allOf: rules }
      : { anyOf: rules, threshold: checked.threshold }
  }
  const { key, identityRegexp, issuerRegexp, trustedRoot, ...rest } = checked.values
  const values: Record<string, unknown> = { ...rest }
  if (key !== undefined)
    values['key'] = await Promise.all(
      [key].flat().map((one) => readKey(one as string, folder, where)),
    )
  for (const [name, source] of Object.entries({ identity: identityRegexp, issuer: issuerRegexp }))
    if (source !== undefined)
      values[name] = asUsage(where, () => parsePattern(source as string, `\`${name}Regexp\``))
  if (typeof trustedRoot === 'string')
    values['trustedRoot'] = await readTextFile(resolve(folder, trustedRoot), 'the trusted root')
  else if (trustedRoot !== undefined) values['trustedRoot'] = trustedRoot
  else if (checked.kind === 'identity' || values['requireTransparencyLog'] !== false)
    values['trustedRoot'] = publicGoodRoot
  return values as unknown as Policy
}

async function readKey(value: string, folder: string, where: string): Promise<string> {
  if (value.includes('-----BEGIN')) return value
  const scheme = schemeOfKey(value)
  if (scheme !== undefined)
    throw new UsageError(
      `${where}: the public key cannot be read from ${scheme}: give a file name or PEM text`,
    )
  return readTextFile(resolve(folder, value), 'the public key')
}

/** Turns an error about an argument of the library into a usage error. */
export function asUsage<T>(where: string, check: () => T): T {
  try {
    return check()
  } catch (cause) {
    throw new UsageError(`${where}: ${(cause as Error).message}`, { cause })
  }
}
