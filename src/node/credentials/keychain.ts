import type { Keychain } from '../../types.ts'
import {
  createDockerKeychain,
  createPodmanKeychain,
  createVariableKeychain,
  firstOf,
} from './docker-keychain.ts'
import type { EnvironmentOptions } from '../files/environment.ts'
import { createLoginFile } from './login-file.ts'

export interface NodeKeychainOptions extends EnvironmentOptions {
  /** Asked before all files. */
  readonly credentials?: Keychain
}

/**
 * The credentials that a user of this machine has: given ones, then those in `DOCKER_AUTH_CONFIG`,
 * then Spin's login file, then Docker's, then podman's; else none, which is anonymous.
 *
 * Exported from `spindle/node`.
 *
 * @example Mirror with the logins of this machine
 * ```ts
 * await copy('ghcr.io/team/hello:1', 'registry.example/team/hello:1', { credentials: createNodeKeychain() })
 * ```
 * @throws `ERR_CREDENTIALS_INVALID` naming the file or helper that is broken, and what to do.
 */
export function createNodeKeychain(options: NodeKeychainOptions = {}): Keychain {
  return firstOf([
    ...(options.credentials === undefined ? [] : [options.credentials]),
    // A variable that is set for one job takes precedence over stored logins.
    createVariableKeychain(options),
    createLoginFile(options).keychain,
    createDockerKeychain(options),
    createPodmanKeychain(options),
  ])
}
