import { Refusal } from '../http/refusal.ts'
import { isPublicAddress, isPublicHost } from './address.ts'

/** An allowed registry of a relay. */
export interface RelayRegistry {
  /** Host and port in the option `registries`; used for credentials and hooks. */
  readonly name: string
  readonly base: URL
  /** Whether to use plain http and to allow a private address. */
  readonly insecure: boolean
  /** URLs of token services on other origins, without query. */
  readonly realms: ReadonlySet<string>
}

interface RegistryListOptions {
  readonly registries: readonly string[]
  readonly insecure?: readonly string[] | undefined
  readonly realms?: Readonly<Record<string, readonly string[]>> | undefined
}

/** Host names of Docker Hub: in references, of the API, and a legacy one. */
const HUB = ['docker.io', 'registry-1.docker.io', 'index.docker.io']
/** Token services on another host than their registry. */
const KNOWN_REALMS = new Map([
  ['docker.io', ['https://auth.docker.io/token']],
  ['registry.gitlab.com', ['https://gitlab.com/jwt/auth']],
])

/**
 * Creates the map of allowed registries by host name in a path.
 * @throws `TypeError` for an invalid host, and for a private one that is not in `insecure`.
 */
export function createRegistryList(
  options: RegistryListOptions,
): ReadonlyMap<string, RelayRegistry> {
  const { registries, insecure = [], realms = {} } = options
  const list = new Map<string, RelayRegistry>()
  for (const host of insecure)
    if (!registries.includes(host))
      throw new TypeError(
        `"insecure" contains ${JSON.stringify(host)}, which is not in "registries": add it there too`,
      )
  for (const name of registries) {
    const plain = insecure.includes(name)
    const text = `https://${name}`
    if (!URL.canParse(text) || new URL(text).host !== name)
      throw new TypeError(
        `"registries" contains ${JSON.stringify(name)}, which is not a host: write it as ghcr.io or registry.example:5000`,
      )
    if (!plain && !isPublicHost(new URL(text).hostname))
      throw new TypeError(
        `"registries" contains ${name}, which is not a public host: add it to "insecure" if this is intended`,
      )
    const isHub = HUB.includes(name)
    const own = Object.hasOwn(realms, name) ? realms[name]! : []
    const entry: RelayRegistry = {
      name,
      base: new URL(`${plain ? 'http' : 'https'}://${isHub ? HUB[1]! : name}`),
      insecure: plain,
      realms: new Set(
        [...own, ...(KNOWN_REALMS.get(isHub ? HUB[0]! : name) ?? [])].map((realm) =>
          checkRealm(realm, plain),
        ),
      ),
    }
    for (const alias of isHub ? HUB : [name]) list.set(alias, entry)
  }
  return list
}

function checkRealm(realm: string, plain: boolean): string {
  const isOne =
    URL.canParse(realm) &&
    withoutQuery(new URL(realm)) === realm &&
    (plain || /^https:/.test(realm))
  if (!isOne)
    throw new TypeError(
      `"realms" contains ${JSON.stringify(realm)}, which is not a URL without query: write it as https://auth.example/token`,
    )
  return realm
}

const withoutQuery = (url: URL): string => `${url.origin}${url.pathname}`

/** Whether the relay sends credentials for a registry to a token service. */
export function isRealmOf(realm: URL, registry: RelayRegistry): boolean {
  if (realm.username !== '' || realm.password !== '') return false
  return realm.origin === registry.base.origin || registry.realms.has(withoutQuery(realm))
}

/** Resolves a host name to its addresses. */
export type ResolveHost = (hostname: string) => Promise<readonly string[]>

/**
 * Checks a URL that a registry returned before a request is sent to it.
 * @throws 403 unless it is https on the default port and leads to a public address.
 */
export async function assertReachable(
  url: URL,
  registry: RelayRegistry,
  resolveHost: ResolveHost | undefined,
): Promise<void> {
  const isOwn =
    url.origin === registry.base.origin ||
    [...registry.realms].some((realm) => new URL(realm).origin === url.origin)
  if (isOwn && registry.insecure) return
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '')
    throw refuse(registry)
  if (!isOwn && url.port !== '') throw refuse(registry)
  if (!isPublicHost(url.hostname)) throw refuse(registry)
  if (resolveHost === undefined) return
  const addresses = await resolveHost(url.hostname.replace(/^\[|\]$/g, '')).catch(
    (cause: unknown) => {
      throw unreachable(registry, cause)
    },
  )
  if (addresses.length === 0) throw unreachable(registry)
  if (!addresses.every(isPublicAddress)) throw refuse(registry)
}

function refuse({ name }: RelayRegistry): Refusal {
  return new Refusal(403, {
    code: 'DENIED',
    message: `${name} redirects to an address that this relay does not allow`,
  })
}

/** 502 for a registry that cannot be reached. */
export function unreachable({ name }: RelayRegistry, cause?: unknown): Refusal {
  return new Refusal(
    502,
    { code: 'UNSUPPORTED', message: `the relay cannot reach ${name}: try again later` },
    { cause },
  )
}
