import { Refusal } from '../http/refusal.ts'
import { isPublicAddress, isPublicHost } from './address.ts'

/** A registry that a relay may be asked for. */
export interface RelayRegistry {
  /** Host and port as the operator names it, and as credentials and hooks are asked for it. */
  readonly name: string
  readonly base: URL
  /** Plain http, and an address that is otherwise refused. */
  readonly insecure: boolean
  /** Token services beside those of its own origin, without queries. */
  readonly realms: ReadonlySet<string>
}

interface RegistryListOptions {
  readonly registries: readonly string[]
  readonly insecure?: readonly string[] | undefined
  readonly realms?: Readonly<Record<string, readonly string[]>> | undefined
}

/** Docker Hub has one name for people, one for its API, and an old one. */
const HUB = ['docker.io', 'registry-1.docker.io', 'index.docker.io']
/** Token services that are on another host than their registry. */
const KNOWN_REALMS = new Map([
  ['docker.io', ['https://auth.docker.io/token']],
  ['registry.gitlab.com', ['https://gitlab.com/jwt/auth']],
])

/** By the name in a path. @throws TypeError for what is no host, and for a private one that is not called insecure. */
export function createRegistryList(
  options: RegistryListOptions,
): ReadonlyMap<string, RelayRegistry> {
  const { registries, insecure = [], realms = {} } = options
  const list = new Map<string, RelayRegistry>()
  for (const host of insecure)
    if (!registries.includes(host))
      throw new TypeError(`"insecure" has ${JSON.stringify(host)}, which is not in "registries"`)
  for (const name of registries) {
    const plain = insecure.includes(name)
    const text = `https://${name}`
    if (!URL.canParse(text) || new URL(text).host !== name)
      throw new TypeError(
        `"registries" has ${JSON.stringify(name)}, which is no host: write it as ghcr.io or registry.example:5000`,
      )
    if (!plain && !isPublicHost(new URL(text).hostname))
      throw new TypeError(
        `"registries" has ${name}, which is no public host: name it in "insecure" too if that is meant`,
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
      `"realms" has ${JSON.stringify(realm)}: write it as https://auth.example/token`,
    )
  return realm
}

const withoutQuery = (url: URL): string => `${url.origin}${url.pathname}`

/** Whether passwords for a registry may be sent to a token service. */
export function isRealmOf(realm: URL, registry: RelayRegistry): boolean {
  if (realm.username !== '' || realm.password !== '') return false
  return realm.origin === registry.base.origin || registry.realms.has(withoutQuery(realm))
}

/** The addresses of a host. */
export type ResolveHost = (hostname: string) => Promise<readonly string[]>

/**
 * Whether a relay may send anything to an address that it was given by a registry.
 * @throws 403 for one that is not https on its own port, or leads into a private network.
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
    message: `${name} leads to an address that this relay does not go to`,
  })
}

export function unreachable({ name }: RelayRegistry, cause?: unknown): Refusal {
  return new Refusal(
    502,
    { code: 'UNSUPPORTED', message: `${name} could not be reached by the relay` },
    { cause },
  )
}
