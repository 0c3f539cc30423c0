import type { PullOptions } from 'spindle/pull'

/** Whose signature an application has to have. */
export type Check =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'identity'; readonly identity: string; readonly issuer: string }

/** The part of the library that verifies is fetched when somebody asks for it. */
export async function loadVerifier(check: Check): Promise<NonNullable<PullOptions['verify']>> {
  const { createVerifier } = await import('spindle/verify')
  if (check.kind === 'key') return createVerifier({ key: check.key, requireTransparencyLog: false })
  const { publicGoodRoot } = await import('spindle/trust-root')
  const { identity, issuer } = check
  return createVerifier({ identity, issuer, trustedRoot: publicGoodRoot })
}
