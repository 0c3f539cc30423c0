import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import { SpindleError } from '../../errors.ts'
import { readTokenJson } from '../../trust/keyless/identity-token.ts'
import { callService, type ServiceOptions } from '../../trust/wire/service-request.ts'

export interface IdentityTokenOptions extends ServiceOptions {
  /** Default `sigstore`. */
  audience?: string
  /** Environment variables. Default: `process.env`. */
  env?: Readonly<Record<string, string | undefined>>
}

/** Milliseconds for a program, so that a hanging one does not block a pipeline. */
const MAX_PROGRAM_WAIT = 30_000

/**
 * The identity token of the CI job that this process runs in.
 *
 * Exported from `spindle/node`. Looks at `SIGSTORE_ID_TOKEN` (GitLab's `id_tokens`, and whoever
 * sets it), GitHub Actions (`permissions: id-token: write`) and Buildkite, in this order.
 *
 * @example Sign a release keyless
 * ```ts
 * const signer = createKeylessSigner({ identityToken: fetchIdentityToken, trustedRoot: publicGoodRoot })
 * ```
 * @throws `ERR_CREDENTIALS_INVALID` when none of them gives one; `ResponseError`, `ERR_NETWORK`.
 */
export async function fetchIdentityToken(options: IdentityTokenOptions = {}): Promise<string> {
  const { audience = 'sigstore', env = process.env, ...service } = options
  const given = env['SIGSTORE_ID_TOKEN']
  if (given !== undefined && given !== '') return given
  const url = env['ACTIONS_ID_TOKEN_REQUEST_URL']
  const token = env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']
  if (url && token) return fetchGitHub(url, token, audience, service)
  if (env['BUILDKITE_AGENT_ACCESS_TOKEN']) return runBuildkite(audience, env)
  throw new SpindleError(
    'ERR_CREDENTIALS_INVALID',
    'no identity token was found: set SIGSTORE_ID_TOKEN, or in GitHub Actions give the job `permissions: id-token: write`',
  )
}

/** Whether the environment has a source of identity tokens for `fetchIdentityToken`. */
export function hasIdentityToken(env: Readonly<Record<string, string | undefined>>): boolean {
  return Boolean(
    env['SIGSTORE_ID_TOKEN'] ||
    (env['ACTIONS_ID_TOKEN_REQUEST_URL'] && env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']) ||
    env['BUILDKITE_AGENT_ACCESS_TOKEN'],
  )
}

/** @see https://docs.github.com/en/actions/reference/security/oidc#methods-for-requesting-the-oidc-token */
async function fetchGitHub(
  requestUrl: string,
  token: string,
  audience: string,
  service: ServiceOptions,
): Promise<string> {
  const url = new URL(requestUrl)
  if (url.protocol !== 'https:')
    throw new SpindleError(
      'ERR_CREDENTIALS_INVALID',
      'ACTIONS_ID_TOKEN_REQUEST_URL is not an https URL',
    )
  url.searchParams.set('audience', audience)
  const headers = { authorization: `Bearer ${token}` }
  const { bytes } = await callService({ method: 'GET', url: url.href, headers }, service)
  return readTokenJson(bytes, "GitHub's answer").get('value').string()
}

async function runBuildkite(
  audience: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  try {
    const args = ['oidc', 'request-token', '--audience', audience]
    const { stdout } = await promisify(execFile)('buildkite-agent', args, {
      env: { ...env },
      timeout: MAX_PROGRAM_WAIT,
    })
    const token = stdout.trim()
    if (token === '') throw new Error('it printed nothing')
    return token
  } catch (cause) {
    throw new SpindleError(
      'ERR_CREDENTIALS_INVALID',
      'buildkite-agent gave no identity token: is it on the PATH?',
      { cause },
    )
  }
}
