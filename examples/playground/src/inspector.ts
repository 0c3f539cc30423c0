import { element, find } from '../../page/dom.ts'
import { formatBytes } from '../../page/format.ts'
import { KEPT_BYTES, KEPT_EXCHANGES, type Exchange } from './exchanges.ts'
import { formatBody } from './text.ts'

export interface Inspector {
  readonly show: (exchange: Exchange) => void
  readonly clear: () => void
}

/** What was asked and answered, newest first; each opens to all that is known of it. */
export function createInspector(): Inspector {
  const list = find('exchanges')
  const rows = new Map<Exchange, HTMLDetailsElement>()
  const count = (): void => {
    find('exchange-count').textContent = rows.size === 0 ? '' : String(rows.size)
    find('no-exchanges').hidden = rows.size > 0
  }
  const show = (exchange: Exchange): void => {
    let row = rows.get(exchange)
    if (row === undefined) {
      row = element('details', { className: 'exchange' }, element('summary'))
      row.addEventListener('toggle', () => fill(row as HTMLDetailsElement, exchange))
      rows.set(exchange, row)
      list.prepend(element('li', {}, row))
      const [oldest] = rows
      if (rows.size > KEPT_EXCHANGES && oldest !== undefined) {
        oldest[1].parentElement?.remove()
        rows.delete(oldest[0])
      }
      count()
    }
    row.querySelector('summary')?.replaceChildren(...summaryOf(exchange))
    fill(row, exchange)
  }
  find('clear-exchanges').addEventListener('click', () => clear())
  const clear = (): void => {
    rows.clear()
    list.replaceChildren()
    count()
  }
  count()
  return { show, clear }
}

function summaryOf({ request, path, response, failure, duration, size, isDone }: Exchange): Node[] {
  const status = response?.status
  const word = status !== undefined ? String(status) : failure !== undefined ? 'failed' : '…'
  const isBad = failure !== undefined || (status ?? 0) >= 400
  return [
    element('span', { text: request.method, className: 'method' }),
    element('code', { text: path, className: 'path', title: path }),
    element('span', { text: word, className: isBad ? 'code bad-text' : 'code' }),
    element('span', {
      text: duration === undefined ? 'waiting' : `${duration.toFixed(0)} ms`,
      className: 'quiet numbers',
    }),
    element('span', {
      text: isDone || size > 0 ? formatBytes(size) : '',
      className: 'quiet numbers',
    }),
  ]
}

function fill(row: HTMLDetailsElement, exchange: Exchange): void {
  if (!row.open) return
  const { request, response, failure, kept, size } = exchange
  const parts: Node[] = []
  const add = (title: string, text: string): void => {
    const pre = element('pre', { text })
    pre.tabIndex = 0
    pre.setAttribute('role', 'region')
    pre.setAttribute('aria-label', `${title}, ${request.method} ${exchange.path}`)
    parts.push(element('h4', { text: title }), pre)
  }
  if (failure !== undefined) parts.push(element('p', { text: failure, className: 'bad-text' }))
  if (response !== undefined) {
    add(
      'Response',
      formatHeaders([`${response.status} ${response.statusText}`.trim()], response.headers),
    )
    if (size > 0)
      add(
        size > KEPT_BYTES ? `Body, the first ${formatBytes(KEPT_BYTES)}` : 'Body',
        formatBody(kept, valueOf(response.headers, 'content-type')),
      )
  }
  add('Request', formatHeaders([`${request.method} ${request.url}`], request.headers))
  if (request.body !== undefined)
    add(
      'Request body',
      formatBody(
        [new Uint8Array(request.body, 0, Math.min(request.body.byteLength, KEPT_BYTES))],
        '',
      ),
    )
  const [summary] = row.children
  row.replaceChildren(...(summary === undefined ? [] : [summary]), ...parts)
}

function formatHeaders(
  first: readonly string[],
  headers: ReadonlyArray<readonly [string, string]>,
): string {
  return [...first, ...headers.map(([name, value]) => `${name}: ${value}`)].join('\n')
}

function valueOf(headers: ReadonlyArray<readonly [string, string]>, wanted: string): string {
  return headers.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? ''
}
