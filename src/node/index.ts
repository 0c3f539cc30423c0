/** What only Node can do: credentials of this machine, its files, its native hashing. */
export { readDirectory, type ReadDirectoryOptions } from './directory.ts'
export { createDockerKeychain, createPodmanKeychain } from './docker-keychain.ts'
export type { EnvironmentOptions } from './environment.ts'
export { createNodeHasher } from './hasher.ts'
export { createNodeKeychain, type NodeKeychainOptions } from './keychain.ts'
export { openLayoutDirectory } from './layout-directory.ts'
export { CLOSE_GRACE, IDLE_TIMEOUT, listen, type Listener, type ListenOptions } from './listen.ts'
export { createLoginFile, type LoginFile } from './login-file.ts'
