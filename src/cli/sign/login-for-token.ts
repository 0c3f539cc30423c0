import { resolve } from 'node:path'
import { requestIdentityToken } from '../../trust/keyless/device-flow.ts'
import { fetchIdentityToken, hasIdentityToken } from '../../node/credentials/identity-token.ts'
import { type CliIo, CommandError, isTerminal } from '../terminal/io.ts'
import type { Output } from '../terminal/output.ts'
import { isOn } from '../terminal/switch-option.ts'
import { readTextFile } from '../terminal/text-file.ts'

/** Flags of keyless signing, with cosign's names. */
export interface TokenFlags {
  readonly identityToken?: string
  readonly oidcIssuer?: string
  readonly oidcClientId?: string
  readonly oidcDisableAmbientProviders?: boolean | string
}

/** The client ID at the issuer, and the audience of tokens for Fulcio. */
export function audienceOf({ oidcClientId = 'sigstore' }: TokenFlags): string {
  return oidcClientId
}

/**
 * Gets an identity token: the given one, that of the CI job, or one from a login with the
 * device flow.
 */
export async function getIdentityToken(
  flags: TokenFlags,
  io: CliIo,
  output: Output,
): Promise<string> {
  const { identityToken: given, oidcIssuer } = flags
  if (given !== undefined) {
    // A JWT: three parts in base64url. No file has such a name.
    if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(given)) return given
    return (await readTextFile(resolve(io.cwd, given), 'the identity token')).trim()
  }
  const audience = audienceOf(flags)
  const call = { signal: io.signal, ...(io.fetch === undefined ? {} : { fetch: io.fetch }) }
  if (!isOn(flags.oidcDisableAmbientProviders) && hasIdentityToken(io.env))
    return fetchIdentityToken({ ...call, env: io.env, audience })
  if (!isTerminal(io.stderr, io.env))
    throw new CommandError(
      'cannot log in without a terminal: give --identity-token, SIGSTORE_ID_TOKEN, the job permission `id-token: write` in GitHub Actions, or --key',
    )
  return requestIdentityToken({
    ...call,
    ...(oidcIssuer === undefined ? {} : { issuer: oidcIssuer }),
    clientId: audience,
    prompt: ({ verificationUri, verificationUriComplete, userCode }) =>
      output.note(
        `Open ${verificationUriComplete ?? verificationUri} and enter ${userCode} to sign with your identity.`,
      ),
  })
}
