/** An element of this page's own markup: that it is there is checked once, when the page starts. */
export function find<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id)
  if (element === null) throw new TypeError(`the page has no #${id}`)
  return element as T
}

/** A new element. Text is only ever set as text, so that nothing that was read becomes markup. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: { readonly text?: string; readonly className?: string; readonly title?: string } = {},
  ...children: Node[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name)
  if (properties.text !== undefined) made.textContent = properties.text
  if (properties.className !== undefined) made.className = properties.className
  if (properties.title !== undefined) made.title = properties.title
  made.append(...children)
  return made
}
