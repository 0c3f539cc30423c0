/**
 * Public internet addresses, the only ones that a relay follows redirects to.
 *
 * A relay often runs inside a private network that its clients cannot reach. Redirects of a registry and
 * resolved names must not lead into that network (server-side request forgery).
 */

/** IPv4 ranges that are not public: first address and prefix length. @see RFC 6890 */
const SPECIAL_V4: ReadonlyArray<readonly [string, number]> = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
]

/**
 * Names of the local machine or network, independent of their addresses: reserved names, and common names of
 * private networks and clusters. @see RFC 6761, 6762, 8375
 */
const PRIVATE_NAMES =
  /(?:^|\.)(?:localhost|localdomain|local|internal|intranet|lan|home|corp|home\.arpa|svc|consul)$/

/**
 * Whether a host is public, judged by its name or literal address.
 * @param hostname Normalized by `URL`.
 */
export function isPublicHost(hostname: string): boolean {
  if (hostname.startsWith('[')) return isPublicAddress(hostname.slice(1, -1))
  if (/^[\d.]+$/.test(hostname)) return isPublicAddress(hostname)
  // Remove the root dot, which does not change the meaning of the name.
  const name = hostname.replace(/\.$/, '').toLowerCase()
  return name.includes('.') && !PRIVATE_NAMES.test(name)
}

/**
 * Whether an IPv4 or IPv6 address, in any notation that `URL` accepts, is a public internet address.
 *
 * Exported from `spindle/serve`.
 *
 * @example Check the addresses of a host
 * ```ts
 * const { address } = await dns.promises.lookup('ghcr.io')
 * if (!isPublicAddress(address)) throw new Error('resolves to a private address')
 * ```
 * @returns `false` for anything that is not an address, and for addresses with a zone such as `%eth0`.
 */
export function isPublicAddress(address: string): boolean {
  const isV6 = address.includes(':')
  const text = isV6 ? `http://[${address}]/` : `http://${address}/`
  if (!URL.canParse(text)) return false
  const { hostname } = new URL(text)
  return isV6 ? isPublicV6(hostname.slice(1, -1)) : isPublicV4(hostname)
}

function isPublicV4(address: string): boolean {
  if (!/^\d+(?:\.\d+){3}$/.test(address)) return false
  const value = parseV4(address)
  return !SPECIAL_V4.some(([first, bits]) => (value ^ parseV4(first)) >>> (32 - bits) === 0)
}

function parseV4(address: string): number {
  return address.split('.').reduce((value, part) => (value << 8) | Number(part), 0)
}

/**
 * Accepts global unicast addresses, `2000::/3`, except 6to4, Teredo and the other special purposes of
 * `2001::/23`, and documentation addresses. IPv4-mapped, NAT64, unique local and link-local addresses are
 * outside of `2000::/3`.
 */
function isPublicV6(address: string): boolean {
  const [first = 0, second = 0] = address
    .split(':', 2)
    .map((group) => (group === '' ? 0 : Number.parseInt(group, 16)))
  if (first < 0x2000 || first > 0x3fff) return false
  if (first === 0x2002 || first === 0x3fff) return false
  return !(first === 0x2001 && (second < 0x200 || second === 0xdb8))
}
