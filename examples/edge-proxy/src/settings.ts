import type { R2BucketBinding } from 'spindle/serve'
import type { Policy } from 'spindle/verify'
import type { WorkersKeyValueNamespace } from 'spindle/worker-loader'

/** Bindings, variables and secrets of `wrangler.jsonc`. */
export interface Env {
  /** The application: `ghcr.io/team/hello:1` or `ghcr.io/team/hello@sha256:…`. */
  readonly REFERENCE?: string
  /** Who must have signed it: JSON of a key or an identity; or `none`, spelled out. */
  readonly POLICY?: string
  /** Seconds for which a tag is taken to mean what it last did. */
  readonly TTL?: string
  /** Seconds for which it may go on answering though the registry does not. */
  readonly STALE?: string
  /** JSON of values of the application's variables. */
  readonly VARIABLES?: string
  readonly REGISTRY_USERNAME?: string
  readonly REGISTRY_PASSWORD?: string
  /** Who may read `/_edge/metrics`, as a bearer token. Without it nobody may. */
  readonly METRICS_TOKEN?: string
  readonly CONTENT?: R2BucketBinding
  readonly VALUES?: WorkersKeyValueNamespace
}

export interface Settings {
  readonly reference: string
  /** `undefined` when it is not to be verified. */
  readonly policy: WrittenPolicy | undefined
  /** Milliseconds. */
  readonly ttl: number
  readonly stale: number
  readonly variables: Readonly<Record<string, string>>
  readonly credentials: { readonly username: string; readonly password: string } | undefined
}

/** As it stands in `POLICY`. */
export type WrittenPolicy =
  | { readonly key: string; readonly requireTransparencyLog?: boolean }
  | { readonly identity: string; readonly issuer: string }

/** @throws Error that says which setting is wrong and how it is written. */
export function readSettings(env: Env): Settings {
  const { REFERENCE, REGISTRY_USERNAME: username, REGISTRY_PASSWORD: password } = env
  if (REFERENCE === undefined || REFERENCE === '')
    throw new Error('REFERENCE is not set: the application, as ghcr.io/team/hello:1')
  return {
    reference: REFERENCE,
    policy: readPolicy(env.POLICY),
    ttl: seconds('TTL', env.TTL, 60),
    stale: seconds('STALE', env.STALE, 7 * 24 * 60 * 60),
    variables: env.VARIABLES === undefined ? {} : readVariables(env.VARIABLES),
    credentials:
      username === undefined || password === undefined ? undefined : { username, password },
  }
}

function readPolicy(text: string | undefined): WrittenPolicy | undefined {
  if (text === 'none') return undefined
  const help = `write {"key": "-----BEGIN PUBLIC KEY-----…", "requireTransparencyLog": false} or {"identity": "…", "issuer": "https://…"}; or none, to run what nobody signed`
  if (text === undefined || text === '') throw new Error(`POLICY is not set: ${help}`)
  const value = parse('POLICY', text)
  const isText = (name: string): boolean => typeof value[name] === 'string'
  const names = Object.keys(value).toSorted().join()
  if (
    (isText('key') && /^key(?:,requireTransparencyLog)?$/.test(names)) ||
    (isText('identity') && isText('issuer') && names === 'identity,issuer')
  )
    return value as unknown as WrittenPolicy
  throw new Error(`POLICY is neither a key nor an identity: ${help}`)
}

function readVariables(text: string): Readonly<Record<string, string>> {
  const value = parse('VARIABLES', text)
  if (!Object.values(value).every((entry) => typeof entry === 'string'))
    throw new Error('VARIABLES has a value that is no string: write {"greeting": "Hello"}')
  return value as Readonly<Record<string, string>>
}

function parse(name: string, text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error(`${name} is not JSON`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${name} is not an object in JSON`)
  return value as Readonly<Record<string, unknown>>
}

function seconds(name: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text)
  if (!(value >= 0)) throw new Error(`${name} is not a number of seconds: ${text}`)
  return value * 1000
}

/** A policy with the trust root that an identity needs, loaded only then. */
export async function policyOf(written: WrittenPolicy): Promise<Policy> {
  if ('key' in written) return written
  const { publicGoodRoot } = await import('spindle/trust-root')
  return { ...written, trustedRoot: publicGoodRoot }
}
