import { element, find } from '../../page/dom.ts'
import type { LogLine } from './guest-messages.ts'

/** Lines that are kept; the oldest go first. */
const KEPT_LINES = 1000

export interface LogPanel {
  readonly add: (line: LogLine) => void
  readonly setComponents: (ids: readonly string[]) => void
  readonly clear: () => void
}

/** What components print, and what is said about them. */
export function createLogPanel(): LogPanel {
  const list = find('log-lines')
  const component = find<HTMLSelectElement>('log-component')
  const stream = find<HTMLSelectElement>('log-stream')
  const fits = ({ dataset }: HTMLElement): boolean =>
    (component.value === '' || dataset['component'] === component.value) &&
    (stream.value === '' || dataset['stream'] === stream.value)
  const refresh = (): void => {
    const items = [...list.children] as HTMLElement[]
    for (const item of items) item.hidden = !fits(item)
    find('log-count').textContent = items.length === 0 ? '' : String(items.length)
    find('no-lines').hidden = items.some((item) => !item.hidden)
  }
  const clear = (): void => {
    list.replaceChildren()
    refresh()
  }
  component.addEventListener('change', refresh)
  stream.addEventListener('change', refresh)
  find('clear-log').addEventListener('click', clear)
  refresh()
  return {
    add(line) {
      const item = element(
        'li',
        { className: `line ${line.stream}` },
        element('time', { text: new Date().toLocaleTimeString(), className: 'quiet numbers' }),
        element('span', { text: line.component || 'playground', className: 'tag' }),
        element('span', { text: line.stream, className: 'stream' }),
        element('code', { text: line.text }),
      )
      item.dataset['component'] = line.component
      item.dataset['stream'] = line.stream
      const place = list.parentElement as HTMLElement
      // Whoever reads further up is left there.
      const isAtEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 40
      list.append(item)
      if (list.children.length > KEPT_LINES) list.firstElementChild?.remove()
      refresh()
      if (isAtEnd) place.scrollTop = place.scrollHeight
    },
    setComponents(ids) {
      component.replaceChildren(
        ...['', ...ids].map((id) => {
          const option = element('option', { text: id === '' ? 'all components' : id })
          option.value = id
          return option
        }),
      )
    },
    clear,
  }
}
