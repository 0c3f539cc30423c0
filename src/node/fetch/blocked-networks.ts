import { lookup as lookUp, type LookupAddress, type LookupOptions } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { isPublicAddress } from '../../serve/relay/address.ts'

/** The code of a request whose host has no other address than blocked ones. */
const BLOCKED = 'ERR_ADDRESS_BLOCKED'

/** Addresses that nothing may be sent to. */
interface BlockedNetworks {
  /** Throws for a host that is itself a blocked address: such a host is never looked up. */
  readonly check: (hostname: string) => void
  /** Node's lookup without the blocked addresses, so that what was checked is what is connected to. */
  readonly lookup: LookupFunction
}

/**
 * @param networks Addresses and ranges such as `10.0.0.0/8`, and `private` for all that is not of the
 * public internet, as in Spin's `block_networks`. Throws a `TypeError` for any other.
 */
export function createBlockedNetworks(networks: readonly string[]): BlockedNetworks {
  const list = new BlockList()
  for (const network of networks) if (network !== 'private') addNetwork(list, network)
  const isPrivateBlocked = networks.includes('private')
  const isBlocked = (address: string): boolean =>
    (isPrivateBlocked && !isPublicAddress(address)) ||
    // An IPv4 address inside of one for IPv6 leads to the same host.
    [address, ...embedded(address)].some((one) =>
      list.check(one, isIP(one) === 6 ? 'ipv6' : 'ipv4'),
    )
  return {
    check(hostname) {
      if (isIP(hostname) !== 0 && isBlocked(hostname)) throw refusal(hostname)
    },
    lookup(hostname, options, callback) {
      const all = { ...options, all: true } as LookupOptions & { all: true }
      lookUp(hostname, all, (error, found) => {
        if (error !== null) return callback(error, [])
        const allowed = found.filter(({ address }) => !isBlocked(address))
        const [first] = allowed as [LookupAddress?]
        if (first === undefined) return callback(refusal(hostname), [])
        if (options.all === true) return callback(null, allowed)
        callback(null, first.address, first.family)
      })
    },
  }
}

function addNetwork(list: BlockList, network: string): void {
  const [address = '', prefix, ...more] = network.split('/')
  const version = isIP(address)
  const width = version === 6 ? 128 : 32
  const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= width)
  if (version === 0 || address.includes('%') || !isPrefix || more.length > 0)
    throw new TypeError(
      `${JSON.stringify(network)} is no network to block: write an address, a range such as "10.0.0.0/8", or "private"`,
    )
  list.addSubnet(
    address,
    prefix === undefined ? width : Number(prefix),
    version === 6 ? 'ipv6' : 'ipv4',
  )
}

/** The IPv4 address at the end of `::ffff:0:0/96` (mapped), `::/96` (compatible) and `64:ff9b::/96` (NAT64). */
function embedded(address: string): readonly string[] {
  if (isIP(address) !== 6) return []
  const text = `http://[${address.replace(/%.*$/, '')}]/`
  if (!URL.canParse(text)) return []
  const match = /^\[(?:::ffff:|64:ff9b::|::)(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4})?\]$/.exec(
    new URL(text).hostname,
  )
  if (match === null) return []
  const high = Number.parseInt(match[1] ?? '0', 16)
  const low = Number.parseInt(match[2] ?? '0', 16)
  return [[high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')]
}

function refusal(hostname: string): NodeJS.ErrnoException {
  const error = new Error(`all addresses of ${hostname} are in blocked networks`)
  return Object.assign(error, { code: BLOCKED })
}
