/** Tabs as the ARIA practices have them: one stop for the Tab key, arrows between them. */
export interface Tabs {
  readonly select: (id: string) => void
}

export function createTabs(list: HTMLElement): Tabs {
  const tabs = [...list.querySelectorAll<HTMLButtonElement>('[role="tab"]')]
  const panelOf = (tab: HTMLButtonElement): HTMLElement =>
    document.getElementById(tab.getAttribute('aria-controls') ?? '') as HTMLElement
  const show = (shown: HTMLButtonElement): void => {
    for (const tab of tabs) {
      tab.setAttribute('aria-selected', String(tab === shown))
      tab.tabIndex = tab === shown ? 0 : -1
      panelOf(tab).hidden = tab !== shown
    }
    keepInSight()
  }
  // The list alone: the page stays where it is.
  const keepInSight = (): void => {
    const shown = tabs.find((tab) => tab.getAttribute('aria-selected') === 'true')
    if (shown === undefined) return
    const [around, tab] = [list.getBoundingClientRect(), shown.getBoundingClientRect()]
    if (tab.left < around.left) list.scrollLeft -= around.left - tab.left
    else if (tab.right > around.right) list.scrollLeft += tab.right - around.right
  }
  // Also when it was chosen before the list was shown, and when less of it fits.
  new ResizeObserver(keepInSight).observe(list)
  list.addEventListener('click', ({ target }) => {
    const tab = (target as Element).closest<HTMLButtonElement>('[role="tab"]')
    if (tab !== null) show(tab)
  })
  list.addEventListener('keydown', (event) => {
    const at = tabs.indexOf(event.target as HTMLButtonElement)
    if (at < 0) return
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key]
    if (to === undefined) return
    event.preventDefault()
    const next = tabs[(to + tabs.length) % tabs.length] as HTMLButtonElement
    show(next)
    next.focus()
  })
  return {
    select(id) {
      const tab = tabs.find((tab) => tab.id === id)
      if (tab !== undefined) show(tab)
    },
  }
}
