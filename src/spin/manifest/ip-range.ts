/** Addresses that begin with the same bits. */
export interface IpRange {
  /** 32 or 128. */
  readonly width: number
  /** Bits that count. */
  readonly prefix: number
  /** The address with all other bits zero. */
  readonly network: bigint
}

/** Reads `10.0.0.0/8`, `::1` and the like; bits after the prefix are ignored. */
export function parseIpRange(text: string): IpRange | undefined {
  const match = /^([0-9a-fA-F.:]{2,45})(?:\/([0-9]{1,3}))?$/.exec(text)
  if (match === null) return undefined
  const address = parseIpAddress(match[1] as string)
  if (address === undefined) return undefined
  const { width, bits } = address
  const prefix = match[2] === undefined ? width : Number(match[2])
  if (prefix > width) return undefined
  const shift = BigInt(width - prefix)
  return { width, prefix, network: (bits >> shift) << shift }
}

/** `host` as a URL spells it; a name is in no range. */
export function ipRangeContains(range: IpRange, host: string): boolean {
  const address = parseIpAddress(host.replace(/^\[(.*)\]$/, '$1'))
  if (address?.width !== range.width) return false
  const shift = BigInt(range.width - range.prefix)
  return (address.bits >> shift) << shift === range.network
}

function parseIpAddress(
  text: string,
): { readonly width: number; readonly bits: bigint } | undefined {
  if (!text.includes(':')) {
    const parts = text.split('.')
    if (
      parts.length !== 4 ||
      !parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256)
    )
      return undefined
    return { width: 32, bits: parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n) }
  }
  let spelled: string
  try {
    // The URL parser checks it, and turns a dotted tail into hexadecimal groups.
    spelled = new URL(`http://[${text}]/`).hostname.slice(1, -1)
  } catch {
    return undefined
  }
  const [head = '', tail] = spelled.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return {
    width: 128,
    bits: [...before, ...zeros, ...after].reduce(
      (bits, group) => (bits << 16n) | BigInt(`0x${group}`),
      0n,
    ),
  }
}
