import { element } from './dom.ts'

/** Copies the whole text, also where it is shown shortened. */
export function copyButton(what: string, text: () => string): HTMLButtonElement {
  const button = element('button', { text: 'Copy', className: 'small' })
  button.type = 'button'
  button.setAttribute('aria-label', `Copy ${what}`)
  listenToCopy(button, text)
  return button
}

export function listenToCopy(button: HTMLButtonElement, text: () => string): void {
  const label = button.textContent
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text())
      button.textContent = 'Copied'
    } catch {
      button.textContent = 'Not allowed here'
    }
    setTimeout(() => (button.textContent = label), 2000)
  })
}
