import { find } from './dom.ts'

export type State =
  'empty' | 'reading' | 'invalid' | 'ready' | 'pushing' | 'done' | 'failed' | 'cancelled'

const sections = document.querySelectorAll<HTMLElement>('[data-in]')

/** Shows what belongs to a state. Its sentence goes to the live region: state changes only, no percentages. */
export function enterState(state: State, sentence: string): void {
  document.body.dataset['state'] = state
  for (const section of sections) {
    section.hidden = !(section.dataset['in'] ?? '').split(' ').includes(state)
  }
  find<HTMLFieldSetElement>('fields').disabled = state === 'pushing'
  find('target').hidden = state === 'pushing'
  find('status').textContent = sentence
}

export function currentState(): State {
  return document.body.dataset['state'] as State
}
