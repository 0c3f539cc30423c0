/** Names that can only be meant to verify something, and that no option has. */
const MISTAKEN =
  /^(?:ver.*|policy|key|identity|issuer|anyOf|allOf|threshold|annotations|trustedRoot|requireTransparencyLog|signatures?)$/i

/**
 * Refuses options that ask for verification in a way that nothing reads: what they were to refuse
 * would be accepted.
 * @throws `TypeError` that names the option.
 */
export function assertVerifyOption(options: { readonly verify?: unknown }): void {
  const { verify } = options
  const isPolicy = typeof verify === 'object' && verify !== null && !Array.isArray(verify)
  if (verify !== undefined && typeof verify !== 'function' && !isPolicy)
    throw new TypeError('`verify` is a policy, or a verifier as `createVerifier` returns it')
  for (const [name, value] of Object.entries(options))
    if (name !== 'verify' && value !== undefined && MISTAKEN.test(name))
      throw new TypeError(
        `the option \`${name}\` is not known: did you mean \`verify: createVerifier(policy)\`?`,
      )
}

/**
 * The same for calls that verify nothing themselves.
 * @throws `TypeError` that says where to verify instead.
 */
export function assertNoVerifyOption(options: object, where: string): void {
  if ((options as { verify?: unknown }).verify !== undefined)
    throw new TypeError(`${where} has no option \`verify\`: pass it to \`pull\``)
  assertVerifyOption(options)
}
