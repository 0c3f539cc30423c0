// As `URL` writes them, whatever was typed. No address at all is the machine's own for some.
const LOOPBACK =
  /^(?:(?:.+\.)?localhost\.?|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\]|\[::(?:ffff:)?(?:7f..:.+|0:0)\])$/

/**
 * Whether an address leads to a server that knows this page and trusts it: its own, or the relay's.
 * On loopback every name of the machine does.
 */
export function createOwnOrigins(
  page: string,
  relay: string | undefined,
): (origin: string) => boolean {
  const own = [new URL(page), ...(relay === undefined ? [] : [new URL(relay, page)])]
  return (origin) => {
    const { hostname, port, origin: asked } = new URL(origin)
    return own.some(
      (known) =>
        known.origin === asked ||
        (known.port === port && LOOPBACK.test(known.hostname) && LOOPBACK.test(hostname)),
    )
  }
}
