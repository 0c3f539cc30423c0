import { find } from './dom.ts'

export interface States<S extends string> {
  /** Shows what belongs to a state. Its sentence goes to the live region: state changes only, no percentages. */
  readonly enter: (state: S, sentence: string) => void
  /** Says a sentence in the same place, and stays in the state. */
  readonly announce: (sentence: string) => void
  readonly current: () => S
}

/** A page's states: `data-in` on an element lists those that it belongs to. */
export function createStates<S extends string>(onEnter: (state: S) => void): States<S> {
  const sections = document.querySelectorAll<HTMLElement>('[data-in]')
  const announce = (sentence: string): void => void (find('status').textContent = sentence)
  return {
    announce,
    enter(state, sentence) {
      document.body.dataset['state'] = state
      for (const section of sections) {
        section.hidden = !(section.dataset['in'] ?? '').split(' ').includes(state)
      }
      onEnter(state)
      announce(sentence)
    },
    current: () => document.body.dataset['state'] as S,
  }
}
