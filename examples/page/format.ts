const UNITS = ['bytes', 'kB', 'MB', 'GB'] as const

/** As people say it, in powers of 1000. */
export function formatBytes(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  return bytes === 1 ? '1 byte' : `${value.toFixed(digits)} ${UNITS[unit]}`
}

export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** Shortened in the middle: both ends are what people compare. */
export function shortenDigest(digest: string): string {
  const colon = digest.indexOf(':') + 1
  return `${digest.slice(0, colon + 8)}…${digest.slice(-6)}`
}

/** Wherever a digest stands in it. */
export function shortenReference(text: string): string {
  return text.replace(/sha\d+:[0-9a-f]{64,}/g, shortenDigest)
}
