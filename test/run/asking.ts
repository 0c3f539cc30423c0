// What two servers answer to the same request, without what each says for itself.

export interface Ask {
  readonly path: string
  readonly method?: string
  readonly body?: string | Uint8Array<ArrayBuffer>
}

interface Answer {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  /** As Latin-1. */
  readonly body: string
}

/** What a server says for itself, whatever the guest says. */
const OF_SERVERS = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding'])

export async function ask(url: string, { path, method = 'GET', body }: Ask): Promise<Answer> {
  const headers = { 'x-ask': 'a  b', 'user-agent': 'test' }
  const response = await fetch(url + path, {
    method,
    headers,
    redirect: 'manual',
    ...(body !== undefined && { body }),
  })
  return {
    status: response.status,
    headers: [...response.headers].filter(([name]) => !OF_SERVERS.has(name)),
    body: Buffer.from(await response.arrayBuffer()).toString('latin1'),
  }
}

export const bodyOf = (url: string, path: string): Promise<string> =>
  ask(url, { path }).then(
    ({ body }) => body,
    () => 'broken off',
  )
