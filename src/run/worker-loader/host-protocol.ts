/**
 * Protocol between a loaded Worker and its parent, over `fetch`. Values chosen by a guest are query
 * parameters only, so that they cannot select another operation.
 */
const HOST_ORIGIN = 'https://host.spindle.invalid'

/** Paths of the parent's handler. What is no answer is 204. */
export const HOST_PATHS = {
  /** `?url`: a request to the network, its method, headers and body as they are. */
  outbound: '/outbound',
  /** `?label&key`: `GET`, `PUT`, `DELETE`; without `key`, `GET` lists and `HEAD` asks whether there is a store: 404 if not. */
  keyValue: '/key-value',
  /** `POST` of log lines, as a JSON list. */
  log: '/log',
} as const

export function hostUrl(path: string, parameters: Readonly<Record<string, string>> = {}): string {
  return `${HOST_ORIGIN}${path}?${new URLSearchParams(parameters)}`
}

/** The same request with another URL. Redirects are not followed. */
export function sendTo(url: string, request: Request): Request {
  const { method, headers, body, signal } = request
  return new Request(url, {
    method,
    headers,
    body,
    signal,
    redirect: 'manual',
    ...(body !== null && { duplex: 'half' }),
  } as RequestInit)
}
