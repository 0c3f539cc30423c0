import { find } from '../../page/dom.ts'
import { createStates, type States } from '../../page/state.ts'

export type State =
  'empty' | 'reading' | 'invalid' | 'ready' | 'pushing' | 'done' | 'failed' | 'cancelled'

const states: States<State> = createStates<State>((state) => {
  find<HTMLFieldSetElement>('fields').disabled = state === 'pushing'
  find('target').hidden = state === 'pushing'
})

export const enterState: States<State>['enter'] = states.enter
export const currentState: States<State>['current'] = states.current
export const announce: States<State>['announce'] = states.announce
