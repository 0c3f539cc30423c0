import { parseChallenges } from '../../http/challenge.ts'
import { formatChallenge } from '../http/authorize.ts'
import { isRealmOf } from './registries.ts'
import type { RelayRegistry } from './registries.ts'
import { formatSealedPath, parseRelayRoute } from './route.ts'
import type { RelayRoute } from './route.ts'
import type { Sealer } from './seal.ts'

/** What addresses in an answer are rewritten with. */
export interface RewriteContext {
  readonly registry: RelayRegistry
  /** `/<prefix>/<registry host>` as the client wrote it. */
  readonly path: string
  /** The same with the relay's own origin: a realm must be absolute. */
  readonly publicUrl: string
  readonly route: RelayRoute
  readonly repository: string
  readonly sealer: Sealer
  /** Where the request went in the end. */
  readonly from: URL
}

/**
 * Challenges with token services behind the relay; those that are not on the list are left out.
 * @returns `undefined` when nothing is left that a client could answer.
 */
export async function rewriteChallenges(
  header: string,
  { registry, publicUrl, sealer }: RewriteContext,
): Promise<string | undefined> {
  const kept: string[] = []
  for (const { scheme, parameters } of parseChallenges(header)) {
    if (scheme === 'basic') {
      const realm = parameters.get('realm') ?? registry.name
      kept.push(formatChallenge({ scheme: 'Basic', parameters: { realm } }))
    }
    const realm = parameters.get('realm') ?? ''
    if (scheme !== 'bearer' || !URL.canParse(realm) || !isRealmOf(new URL(realm), registry))
      continue
    const seal = await sealer.seal({
      kind: 'token',
      registry: registry.name,
      repository: '',
      url: new URL(realm).href,
    })
    const rest = ['service', 'scope', 'error'].flatMap((name) => {
      const value = parameters.get(name)
      return value === undefined ? [] : [[name, value] as const]
    })
    kept.push(
      formatChallenge({
        scheme: 'Bearer',
        parameters: {
          realm: `${publicUrl}${formatSealedPath('token', seal)}`,
          ...Object.fromEntries(rest),
        },
      }),
    )
  }
  return kept.length === 0 ? undefined : kept.join(', ')
}

/**
 * Where an upload goes on, or what it has become. Paths of the registry itself are written plainly;
 * whatever else it names for an upload is sealed, so that nobody can make one up.
 * @returns `undefined` for what is none of the client's business.
 */
export async function rewriteLocation(
  location: string,
  context: RewriteContext,
): Promise<string | undefined> {
  const { registry, path, route, repository, sealer, from } = context
  if (!URL.canParse(location, from.href)) return undefined
  const to = new URL(location, from)
  // Behind a proxy that ends TLS a registry may forget its own scheme (distribution #479).
  if (!registry.insecure && to.protocol === 'http:' && to.hostname === registry.base.hostname)
    to.href = `${registry.base.origin}${to.pathname}${to.search}`
  const plain = parseRelayRoute(to.pathname)
  const isOwn = to.origin === registry.base.origin && plain !== undefined
  if (isOwn && 'repository' in plain && plain.repository === repository)
    return `${path}${to.pathname}${to.search}`
  if (route.kind !== 'uploads' && route.kind !== 'upload' && route.kind !== 'sealed')
    return undefined
  const isWeb = to.protocol === 'https:' || to.origin === registry.base.origin
  if (!isWeb || to.username !== '' || to.password !== '') return undefined
  to.hash = ''
  const seal = await sealer.seal({
    kind: 'sealed',
    registry: registry.name,
    repository,
    url: to.href,
  })
  return `${path}${formatSealedPath('sealed', seal)}`
}

/** The next page of the same list; any other link is left out. */
export function rewriteLink(
  link: string,
  { registry, path, route, repository, from }: RewriteContext,
): string | undefined {
  // Cloudflare's registry leaves out the angle brackets.
  const target = /^\s*(?:<([^>]*)>|([^\s;,]+))\s*;[^,]*rel="?next"?/i.exec(link)
  const text = target?.[1] ?? target?.[2]
  if (text === undefined || !URL.canParse(text, from.href)) return undefined
  const to = new URL(text, from)
  const next = parseRelayRoute(to.pathname)
  const isSame =
    to.origin === registry.base.origin &&
    next?.kind === route.kind &&
    'repository' in next &&
    next.repository === repository
  return isSame ? `<${path}${to.pathname}${to.search}>; rel="next"` : undefined
}
