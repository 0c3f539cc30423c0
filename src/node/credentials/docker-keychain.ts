import { join } from 'node:path'
import { SpindleError } from '../../errors.ts'
import type { Credentials, Keychain } from '../../types.ts'
import {
  AUTH_VARIABLE,
  type AuthFile,
  findEntry,
  helperServer,
  loadAuthFile,
  parseAuthVariable,
  readAuthEntry,
} from './auth-file.ts'
import { askCredentialHelper } from './credential-program.ts'
import {
  type Environment,
  type EnvironmentOptions,
  nonEmpty,
  podmanAuthFiles,
  readEnvironment,
} from '../files/environment.ts'

/**
 * Credentials as Docker keeps them: the JSON text in `DOCKER_AUTH_CONFIG`, then
 * `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
 *
 * Exported from `spindle/node`. In each, looks into `credHelpers`, then asks `credsStore`, then reads
 * `auths`; the files are read anew for each question, so that a login is seen at once.
 *
 * @example Push with the login of `docker login`
 * ```ts
 * await push(app, 'ghcr.io/team/hello:1', { credentials: createDockerKeychain() })
 * ```
 * @throws `ERR_CREDENTIALS_INVALID` for a file, variable or helper that is broken; it is never taken
 * for having no login.
 * @see {@link https://docs.docker.com/reference/cli/docker/login/#credential-stores docker login}
 */
export function createDockerKeychain(options: EnvironmentOptions = {}): Keychain {
  const environment = readEnvironment(options)
  const folder = nonEmpty(environment.env['DOCKER_CONFIG']) ?? join(environment.home, '.docker')
  return firstOf([
    createVariableKeychain(environment),
    createAuthFileKeychain(() => loadAuthFile(join(folder, 'config.json')), environment),
  ])
}

/**
 * Credentials in `DOCKER_AUTH_CONFIG`, which has the form of `config.json`, as Docker, crane and
 * GitLab's runners read it.
 * @see {@link https://docs.gitlab.com/ci/docker/using_docker_images/ GitLab, DOCKER_AUTH_CONFIG}
 */
export function createVariableKeychain(options: EnvironmentOptions = {}): Keychain {
  const environment = readEnvironment(options)
  return createAuthFileKeychain(async () => {
    const text = nonEmpty(environment.env[AUTH_VARIABLE])
    return text === undefined ? undefined : parseAuthVariable(text)
  }, environment)
}

/**
 * Credentials as podman, skopeo and buildah keep them: the file in `REGISTRY_AUTH_FILE`, else
 * `auth.json` in the runtime folder, else in the folder for settings.
 *
 * Exported from `spindle/node`.
 *
 * @throws `ERR_CREDENTIALS_INVALID` for a file or helper that is broken, and when
 * `REGISTRY_AUTH_FILE` names a file that isn't there.
 * @see {@link https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md containers-auth.json}
 */
export function createPodmanKeychain(options: EnvironmentOptions = {}): Keychain {
  const environment = readEnvironment(options)
  const named = nonEmpty(environment.env['REGISTRY_AUTH_FILE'])
  if (named === undefined) {
    const keychains = podmanAuthFiles(environment).map((path) =>
      createAuthFileKeychain(() => loadAuthFile(path), environment),
    )
    return firstOf(keychains)
  }
  return createAuthFileKeychain(async () => {
    const file = await loadAuthFile(named)
    if (file === undefined)
      throw new SpindleError(
        'ERR_CREDENTIALS_INVALID',
        `REGISTRY_AUTH_FILE names ${named}, which isn't there; correct the variable or unset it`,
      )
    return file
  }, environment)
}

/** Queries keychains in order until one has credentials. */
export function firstOf(keychains: readonly Keychain[]): Keychain {
  return async (scope) => {
    for (const keychain of keychains) {
      const credentials = await keychain(scope)
      if (credentials !== undefined) return credentials
    }
    return undefined
  }
}

function createAuthFileKeychain(
  load: () => Promise<AuthFile | undefined>,
  { env }: Environment,
): Keychain {
  return async (scope): Promise<Credentials | undefined> => {
    const file = await load()
    if (file === undefined) return undefined
    const helper = findEntry(file.credHelpers, scope)?.value ?? file.credsStore
    if (helper !== undefined && helper !== '') {
      const credentials = await askCredentialHelper(helper, helperServer(scope.registry), {
        env,
        namedIn: file.path,
      })
      if (credentials !== undefined) return credentials
    }
    const entry = findEntry(file.auths, scope)
    return entry === undefined ? undefined : readAuthEntry(file, entry.key, entry.value)
  }
}
