import { SpindleError } from 'spindle/errors'
import type { PullOptions } from 'spindle/pull'
import { readConfig } from '../../page/config.ts'

/** Whose signature an application has to have. */
export type Check =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'identity'; readonly identity: string; readonly issuer: string }

/** The part of the library that verifies is fetched when somebody asks for it. */
export async function loadVerifier(check: Check): Promise<NonNullable<PullOptions['verify']>> {
  const { createVerifier } = await import('spindle/verify')
  if (check.kind === 'key') return createVerifier({ key: check.key, requireTransparencyLog: false })
  const { identity, issuer } = check
  return createVerifier({ identity, issuer, trustedRoot: await loadRoot() })
}

/** Sigstore's, unless whoever put this page on a server put another one beside it. */
async function loadRoot() {
  const { trustedRoot } = readConfig()
  if (trustedRoot === undefined) return (await import('spindle/trust-root')).publicGoodRoot
  const response = await fetch(trustedRoot)
  if (!response.ok)
    throw new SpindleError('ERR_NETWORK', `${trustedRoot} of this page: ${response.status}`)
  return response.json()
}
