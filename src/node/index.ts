/** What only Node can do: credentials of this machine, its files, its native hashing. */
export type { ServiceOptions } from '../trust/wire/service-request.ts'
export type { KeyValueStore } from '../run/host/spin/key-value-store.ts'
export type {
  SqliteCounters,
  SqliteCursor,
  SqliteDatabase,
  SqliteLimits,
  SqliteResult,
  SqliteValue,
} from '../run/host/spin/sqlite-database.ts'
export type { Pointer as SqlitePointer, SqliteWasm } from '../run/host/spin/sqlite-connection.ts'
export type { Authenticate } from '../serve/http/basic.ts'
export type { HostNameOptions } from '../serve/http/host-names.ts'
export type {
  GetOptions,
  ListOptions,
  ListResult,
  MovingStorage,
  PutOptions,
  PutResult,
  Storage,
  StorageBody,
  StoredHead,
  StoredInfo,
  StoredRange,
  StoredValue,
} from '../serve/storage/port.ts'
export type {
  SourceEntry,
  SourceExit,
  SourceFile,
  SourceFolder,
} from '../spin/files/source-folder.ts'
export type {
  AuthScope,
  BodySource,
  Content,
  CreateHasher,
  Credentials,
  Descriptor,
  Digest,
  DigestAlgorithm,
  FetchHandler,
  FetchLike,
  FileTree,
  Hasher,
  Keychain,
  OperationOptions,
  ReadStore,
  ReferrerStore,
  Store,
  TransferEvent,
  WholeStore,
} from '../types.ts'
export { readDirectory, type ReadDirectoryOptions } from './files/directory.ts'
export { createDockerKeychain, createPodmanKeychain } from './credentials/docker-keychain.ts'
export type { EnvironmentOptions } from './files/environment.ts'
export { createNodeFetch, type NodeFetchOptions } from './fetch/fetch.ts'
export { createFileCache } from './files/file-cache.ts'
export { createFileKeyValue } from './state/file-key-value.ts'
export { createFileSqlite } from './state/file-sqlite.ts'
export { createFileStorage, type FileStorageOptions } from './storage/file-storage.ts'
export { createNodeHasher } from './files/hasher.ts'
export { type HtpasswdOptions, readHtpasswd } from './credentials/htpasswd.ts'
export { fetchIdentityToken, type IdentityTokenOptions } from './credentials/identity-token.ts'
export { createNodeKeychain, type NodeKeychainOptions } from './credentials/keychain.ts'
export { openLayoutDirectory } from './files/layout-directory.ts'
export { listen, type Listener, type ListenOptions } from './listen/listen.ts'
export { createLoginFile, type LoginFile } from './credentials/login-file.ts'
export { createOutboundFetch, type OutboundFetchOptions } from './fetch/outbound-fetch.ts'
export { type ProxySettings, readProxyEnvironment } from './fetch/proxy.ts'
export { openDirectory } from './files/open-directory.ts'
export type { SqliteWasmFiles } from './state/sqlite-files.ts'
export { resolveHost } from './fetch/resolve-host.ts'
export { writeDirectory } from './files/write-directory.ts'
