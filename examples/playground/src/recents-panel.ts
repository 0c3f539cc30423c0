import { element, find } from '../../page/dom.ts'
import { readRecents } from './recents.ts'

/** The list of what ran here before. */
export function showRecents(onChosen: (reference: string) => void): void {
  const recents = readRecents()
  find('recents').hidden = recents.length === 0
  find('recent-list').replaceChildren(
    ...recents.map(({ reference, at }) => {
      const button = element('button', { text: reference, className: 'link name' })
      button.addEventListener('click', () => onChosen(reference))
      return element(
        'li',
        {},
        button,
        element('span', { text: new Date(at).toLocaleDateString(), className: 'quiet' }),
      )
    }),
  )
}
