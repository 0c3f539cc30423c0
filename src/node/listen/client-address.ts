/** What `srvx` adds to the requests that it makes. */
interface ServedRequest extends Request {
  readonly runtime?: {
    readonly node?: {
      readonly req?: {
        readonly socket?: { readonly remoteAddress?: string; readonly remotePort?: number }
      }
    }
  }
}

/** Where the other end of a request's connection is; `undefined` without one. */
export function clientAddress(
  request: ServedRequest,
): { address: string; port: number } | undefined {
  const { remoteAddress, remotePort = 0 } = request.runtime?.node?.req?.socket ?? {}
  return remoteAddress === undefined ? undefined : { address: remoteAddress, port: remotePort }
}
