/** An error as registries send it. */
export function refuse(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ errors: [{ code, message }] }, { status, headers: { ...headers } })
}

/** A response with some headers changed; `undefined` removes one. */
export function withHeaders(
  response: Response,
  changes: Readonly<Record<string, string | undefined>>,
): Response {
  const headers = new Headers(response.headers)
  for (const [name, value] of Object.entries(changes))
    if (value === undefined) headers.delete(name)
    else headers.set(name, value)
  return new Response(response.body, { status: response.status, headers })
}

/** The request as the registry behind a persona sees it: without the persona's own login. */
export function withoutLogin(request: Request): Request {
  const bare = new Request(request)
  bare.headers.delete('authorization')
  return bare
}

export const isUploadStart = (request: Request): boolean =>
  request.method === 'POST' && /\/blobs\/uploads\/?$/.test(new URL(request.url).pathname)

/** What a request wants, as a Bearer scope. */
export function scopeOf(request: Request): string {
  const { pathname } = new URL(request.url)
  const name = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(pathname)?.[1] ?? ''
  const actions =
    request.method === 'GET' || request.method === 'HEAD'
      ? 'pull'
      : request.method === 'DELETE' && !pathname.includes('/uploads/')
        ? 'delete'
        : 'pull,push'
  return `repository:${name}:${actions}`
}
