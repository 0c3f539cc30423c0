import type { LockedApp } from 'spindle/app'
import { createIndexedDbKeyValue } from 'spindle/run'
import { element, find } from '../../page/dom.ts'
import { formatBytes } from '../../page/format.ts'
import { formatHex, readText } from './text.ts'

/** Characters of a value that are shown in a list. */
const SHOWN = 200

export interface ValuesPanel {
  readonly refresh: () => Promise<void>
}

/** What the application stores, by label; it can be changed here too. */
export function showValues(locked: LockedApp, name: string): ValuesPanel {
  const labels = labelsOf(locked)
  if (labels.length === 0) {
    find('values').replaceChildren(
      element('p', {
        text: 'This application asks for no key-value store.',
        className: 'quiet empty',
      }),
    )
    return { refresh: async () => undefined }
  }
  const panels = labels.map((label) => createStorePanel(label, `${name}/${label}`))
  find('values').replaceChildren(...panels.map(({ place }) => place))
  const refresh = async (): Promise<void> => {
    await Promise.all(panels.map((panel) => panel.refresh()))
  }
  void refresh()
  return { refresh }
}

function labelsOf({ components }: LockedApp): readonly string[] {
  const all = components.flatMap(({ metadata }) => {
    const labels = metadata?.['key_value_stores']
    return Array.isArray(labels) ? labels.filter((label) => typeof label === 'string') : []
  })
  return [...new Set(all)]
}

function createStorePanel(
  label: string,
  name: string,
): { place: HTMLElement; refresh: () => Promise<void> } {
  const store = createIndexedDbKeyValue(name)
  const list = element('ul', { className: 'lines' })
  const key = field('Key', `key-of-${label}`)
  const value = field('Value', `value-of-${label}`)
  const problem = element('p', { className: 'hint wrong' })
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      problem.textContent = ''
      await work()
      await refresh()
    } catch (error) {
      problem.textContent = `Not done: ${error instanceof Error ? error.message : String(error)}`
    }
  }
  const form = element(
    'form',
    { className: 'pair' },
    key.place,
    value.place,
    element('button', { text: 'Store' }),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    if (key.input.value === '') return key.input.focus()
    void attempt(async () => {
      await store.set(key.input.value, new TextEncoder().encode(value.input.value))
      key.input.value = ''
      value.input.value = ''
    })
  })
  const refresh = async (): Promise<void> => {
    const keys = [...(await store.keys())]
    const rows = await Promise.all(
      keys.map(async (name) => {
        const bytes = (await store.get(name)) ?? new Uint8Array()
        const text = readText([bytes])
        const shown = text === undefined ? formatHex([bytes.subarray(0, 32)]) : text.slice(0, SHOWN)
        const change = element('button', { text: 'Change', className: 'small' })
        change.setAttribute('aria-label', `Change ${name}`)
        change.disabled = text === undefined
        change.addEventListener('click', () => {
          key.input.value = name
          value.input.value = text ?? ''
          value.input.focus()
        })
        const remove = element('button', { text: 'Delete', className: 'small' })
        remove.setAttribute('aria-label', `Delete ${name}`)
        remove.addEventListener('click', () => void attempt(async () => store.delete(name)))
        return element(
          'li',
          {},
          element('code', { text: name, className: 'name' }),
          element('code', { text: shown || '(empty)', className: 'value quiet' }),
          element('span', { text: formatBytes(bytes.length), className: 'size' }),
          change,
          remove,
        )
      }),
    )
    list.replaceChildren(
      ...(rows.length === 0
        ? [element('li', { text: 'Nothing is stored yet.', className: 'quiet' })]
        : rows),
    )
  }
  const heading = element('h4', { text: `Store “${label}”` })
  return {
    place: element('section', { className: 'store' }, heading, list, form, problem),
    refresh,
  }
}

function field(text: string, id: string): { place: HTMLElement; input: HTMLInputElement } {
  const input = element('input')
  input.type = 'text'
  input.id = id
  input.autocomplete = 'off'
  input.spellcheck = false
  const label = element('label', { text })
  label.htmlFor = id
  return { place: element('div', {}, label, input), input }
}
