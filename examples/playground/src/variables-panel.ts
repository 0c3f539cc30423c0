import type { LockedApp } from 'spindle/app'
import { element, find } from '../../page/dom.ts'
import { keep, readKept } from '../../page/drafts.ts'

export interface VariablesPanel {
  /** Names of required ones that have no value. */
  readonly missing: () => readonly string[]
  /** Only what somebody gave: for the rest the application has its defaults. */
  readonly values: () => Readonly<Record<string, string>>
  readonly focus: () => void
}

/** A field for each variable. Secret ones live as long as the page, the others are kept. */
export function showVariables(
  { variables = {} }: LockedApp,
  key: string,
  onApply: () => void,
): VariablesPanel {
  const place = `spindle-playground/variables/${key}`
  const saved = (readKept(place) ?? {}) as Readonly<Record<string, string>>
  const inputs = new Map<string, HTMLInputElement>()
  const fields = Object.entries(variables).map(
    ([name, { default: fallback, secret, description }]) => {
      const input = element('input')
      input.type = secret === true ? 'password' : 'text'
      input.id = `variable-${name}`
      input.autocomplete = 'off'
      input.spellcheck = false
      input.placeholder = fallback ?? ''
      if (fallback === undefined) input.required = true
      if (secret !== true && typeof saved[name] === 'string') input.value = saved[name]
      inputs.set(name, input)
      const label = element('label', { text: name })
      label.htmlFor = input.id
      const about = [
        description,
        secret === true ? 'Secret: not kept after a reload.' : undefined,
        fallback === undefined ? 'Needed to start.' : undefined,
        fallback !== undefined && secret !== true ? `Default: ${fallback || 'nothing'}` : undefined,
      ].filter((text) => text !== undefined)
      const hint = element('p', { text: about.join(' '), className: 'hint' })
      hint.id = `${input.id}-hint`
      input.setAttribute('aria-describedby', hint.id)
      return element('div', {}, label, input, hint)
    },
  )
  const save = (): void => {
    const open = [...inputs].filter(([name]) => variables[name]?.secret !== true)
    keep(place, Object.fromEntries(open.map(([name, input]) => [name, input.value])))
  }
  const form = element('form', {}, ...fields)
  form.noValidate = true
  form.addEventListener('input', save)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    onApply()
  })
  const names = Object.keys(variables)
  if (names.length > 0) {
    const apply = element('button', { text: 'Use these values', className: 'primary' })
    form.append(apply)
  }
  find('variables').replaceChildren(
    names.length === 0
      ? element('p', { text: 'This application has no variables.', className: 'quiet empty' })
      : form,
  )
  const given = (): Array<[string, string]> =>
    [...inputs].flatMap(([name, { value }]) =>
      value === '' ? [] : [[name, value] as [string, string]],
    )
  return {
    missing: () =>
      names.filter(
        (name) => variables[name]?.default === undefined && inputs.get(name)?.value === '',
      ),
    values: () => Object.fromEntries(given()),
    focus() {
      const [first] = names.filter(
        (name) => inputs.get(name)?.required && inputs.get(name)?.value === '',
      )
      inputs.get(first ?? '')?.focus()
    },
  }
}
