const LOOPBACK = /^(?:localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

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
