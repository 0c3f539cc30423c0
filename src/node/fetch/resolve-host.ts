import { lookup } from 'node:dns/promises'

/**
 * The addresses of a host as this machine finds them, for a relay that goes to none of its own network.
 *
 * Exported from `spindle/node`. The name may lead elsewhere a moment later: where that matters, the
 * machine's own firewall has the last word.
 *
 * @example
 * ```ts
 * createRelayHandler({ registries: ['ghcr.io'], origins, resolveHost })
 * ```
 */
export async function resolveHost(hostname: string): Promise<readonly string[]> {
  const found = await lookup(hostname, { all: true, verbatim: true })
  return found.map(({ address }) => address)
}
