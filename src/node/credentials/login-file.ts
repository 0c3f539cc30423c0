import { join } from 'node:path'
import { formatBase64 } from '../../bytes/base64.ts'
import { isJsonObject, type JsonObject } from '../../bytes/json.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import type { Keychain } from '../../types.ts'
import { invalid, loadJsonObject, parsePair } from './auth-file.ts'
import { writeFileAtomic } from '../files/bounded-file.ts'
import { configFolder, type EnvironmentOptions, readEnvironment } from '../files/environment.ts'

/** Only its owner may read it. */
const MODE = 0o600

/** Logins that Spin and Spindle share, by registry. */
export interface LoginFile {
  readonly path: string
  /** Asks the file as it is now. */
  readonly keychain: Keychain
  save(
    registry: string,
    login: { readonly username: string; readonly password: string },
  ): Promise<void>
  /** `false` when there was no such login. */
  remove(registry: string): Promise<boolean>
}

/**
 * Spin's own login file, which `spin registry login` and `spindle registry login` write:
 * `fermyon/registry-auth.json` in the user's folder for settings.
 *
 * Exported from `spindle/node`.
 *
 * @example Log in from a script
 * ```ts
 * await createLoginFile().save('ghcr.io', { username, password })
 * ```
 * @throws `ERR_CREDENTIALS_INVALID` from all three for a file that is there but broken.
 */
export function createLoginFile(options: EnvironmentOptions = {}): LoginFile {
  const path = join(configFolder(readEnvironment(options)), 'fermyon', 'registry-auth.json')

  const load = async (): Promise<{ file: JsonObject; auths: ReadonlyMap<string, unknown> }> => {
    const file = (await loadJsonObject(path)) ?? {}
    const auths = Object.hasOwn(file, 'auths') ? file['auths'] : {}
    if (!isJsonObject(auths)) throw invalid(path, '"auths" is not an object')
    return { file, auths: new Map(Object.entries(auths)) }
  }
  const store = async (file: JsonObject, auths: ReadonlyMap<string, unknown>): Promise<void> => {
    const text = JSON.stringify({ ...file, auths: Object.fromEntries(auths) }, undefined, 2)
    await writeFileAtomic(path, encodeUtf8(text), MODE)
  }

  return {
    path,
    keychain: async ({ registry }) => {
      const { auths } = await load()
      const key = namesOf(registry).find((name) => auths.has(name))
      if (key === undefined) return undefined
      const auth = auths.get(key)
      const pair = typeof auth === 'string' ? parsePair(auth) : undefined
      if (pair === undefined)
        throw invalid(
          path,
          `the login for ${JSON.stringify(key)} is not the base64 of user:password`,
        )
      return pair
    },
    save: async (registry, { username, password }) => {
      if (username === '' || username.includes(':'))
        throw new TypeError('the user name must not be empty or contain a colon')
      const { file, auths } = await load()
      const [name = registry, ...others] = namesOf(registry)
      const next = new Map(auths)
      for (const other of others) next.delete(other)
      next.set(name, formatBase64(encodeUtf8(`${username}:${password}`)))
      await store(file, next)
    },
    remove: async (registry) => {
      const { file, auths } = await load()
      const next = new Map([...auths].filter(([key]) => !namesOf(registry).includes(key)))
      if (next.size === auths.size) return false
      await store(file, next)
      return true
    },
  }
}

/** The name to write under first. Spin looks Docker Hub up by its API's host; before 2.6 it wrote the other. */
function namesOf(registry: string): readonly string[] {
  return registry === 'docker.io' || registry === 'index.docker.io'
    ? ['index.docker.io', 'docker.io']
    : [registry]
}
