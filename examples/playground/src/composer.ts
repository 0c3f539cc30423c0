import { element, find } from '../../page/dom.ts'
import { keepDrafts } from '../../page/drafts.ts'
import type { WireRequest } from './channel.ts'

/** A request by hand: any method, headers and body. */
export function listenToComposer(
  send: (request: WireRequest) => Promise<Response>,
  origin: () => string | undefined,
): void {
  keepDrafts('spindle-playground/composer', ['compose-path', 'compose-headers', 'compose-body'])
  const problem = find('compose-problem')
  find('composer').addEventListener('submit', async (event) => {
    event.preventDefault()
    const base = origin()
    if (base === undefined) return
    const text = (id: string): string =>
      find<HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement>(id).value
    const method = text('compose-method')
    const path = text('compose-path').trim() || '/'
    problem.textContent = ''
    try {
      const headers = readHeaders(text('compose-headers'))
      const body = text('compose-body')
      const sends = method !== 'GET' && method !== 'HEAD' && body !== ''
      const response = await send({
        method,
        url: new URL(path.startsWith('/') ? path : `/${path}`, base).href,
        headers,
        ...(sends && { body: new TextEncoder().encode(body).buffer }),
      })
      // Read to its end: the inspector shows what goes by.
      await response.arrayBuffer()
      find('exchanges').querySelector('details')?.setAttribute('open', '')
    } catch (error) {
      problem.textContent = error instanceof Error ? error.message : String(error)
    }
  })
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']
  find('compose-method').replaceChildren(...methods.map((text) => element('option', { text })))
}

/** @throws with the line that is none. */
function readHeaders(text: string): Array<readonly [string, string]> {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name, value] = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*:\s*(.*?)\s*$/.exec(line) ?? []
      if (name === undefined || value === undefined)
        throw new TypeError(`“${line.trim()}” is no header: write it as accept: text/html`)
      return [name, value] as const
    })
}
