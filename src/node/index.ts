/** What only Node can do: credentials of this machine, its files, its native hashing. */
export { createDockerKeychain, createPodmanKeychain } from './docker-keychain.ts'
export type { EnvironmentOptions } from './environment.ts'
export { createNodeHasher } from './hasher.ts'
export { createNodeKeychain, type NodeKeychainOptions } from './keychain.ts'
export { createLoginFile, type LoginFile } from './login-file.ts'
