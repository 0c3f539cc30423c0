/**
 * Which hosts a relay may be sent to by others: only those of the public internet.
 *
 * A relay stands where its clients do not, often inside a network. What a registry redirects to, or
 * a name resolves to, must not lead into that network.
 */

/** First address and prefix length of IPv4 ranges that are not public. @see RFC 6890 */
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
 * Names that mean this machine or this network, whatever they resolve to: reserved ones, and those
 * that networks and clusters give themselves. @see RFC 6761, 6762, 8375
 */
const INSIDE =
  /(?:^|\.)(?:localhost|localdomain|local|internal|intranet|lan|home|corp|home\.arpa|svc|consul)$/

/** Whether a host may be reached, as far as its name tells. `hostname` is that of a `URL`, so in its one form. */
export function isPublicHost(hostname: string): boolean {
  if (hostname.startsWith('[')) return isPublicAddress(hostname.slice(1, -1))
  if (/^[\d.]+$/.test(hostname)) return isPublicAddress(hostname)
  // A final dot makes the same name another string.
  const name = hostname.replace(/\.$/, '').toLowerCase()
  return name.includes('.') && !INSIDE.test(name)
}

/** Whether an address, in any notation that `URL` reads, is one of the public internet. */
export function isPublicAddress(address: string): boolean {
  // A zone such as `%eth0` is that of a link, so of the inside.
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
 * Only global unicast, `2000::/3`, without what carries an IPv4 address or a tunnel inside: 6to4,
 * Teredo and other special purposes of `2001::/23`, documentation. IPv4-mapped, NAT64, unique
 * local and link-local addresses all lie outside of it.
 */
function isPublicV6(address: string): boolean {
  const [first = 0, second = 0] = address
    .split(':', 2)
    .map((group) => (group === '' ? 0 : Number.parseInt(group, 16)))
  if (first < 0x2000 || first > 0x3fff) return false
  if (first === 0x2002 || first === 0x3fff) return false
  return !(first === 0x2001 && (second < 0x200 || second === 0xdb8))
}
