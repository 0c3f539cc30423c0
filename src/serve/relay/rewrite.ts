import { parseChallenges } from '../../http/challenge.ts'
import { formatChallenge } from '../http/authorize.ts'
import { isRealmOf } from './registries.ts'
import type { RelayRegistry } from './registries.ts'
import { formatSealedPath, parseRelayRoute } from './route.ts'
import type { RelayRoute } from './route.ts'
import type { Sealer } from './seal.ts'

/** Data for rewriting URLs in a response. */
export interface RewriteContext {
  readonly registry: RelayRegistry
  /** `/<prefix>/<registry host>` of the request. */
  readonly path: string
  /** The same with the relay's public origin, for realms, which are absolute. */
  readonly publicUrl: string
  readonly route: RelayRoute
  readonly repository: string
  readonly sealer: Sealer
  /** URL of the response, after redirects. */
  readonly from: URL
}

/**
 * Rewrites challenges so that their token services are reached through the relay. Leaves out token services
 * that are not allowed.
 * @returns `undefined` when no challenge is left.
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
 * Rewrites the location of an upload or of pushed content. Paths of the same repository stay readable; any
 * other URL for an upload is sealed, so that clients cannot forge one.
 * @returns `undefined` for a location that is not passed on.
 */
export async function rewriteLocation(
  location: string,
  context: RewriteContext,
): Promise<string | undefined> {
  const { registry, path, route, repository, sealer, from } = context
  if (!URL.canParse(location, from.href)) return undefined
  const to = new URL(location, from)
  // Some registries behind a proxy that terminates TLS return http URLs (distribution #479).
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

/** Rewrites the link to the next page of the same list; drops any other link. */
export function rewriteLink(
  link: string,
  { registry, path, route, repository, from }: RewriteContext,
): string | undefined {
  // Cloudflare's registry omits the angle brackets.
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
