import type { LockedApp } from 'spindle/app'
import { element, find } from '../../page/dom.ts'
import { keep, readKept } from '../../page/drafts.ts'

type Decision = 'allow' | 'block'

export interface NetworkPanel {
  /** Whether an origin may be reached; asks the person where they have not said so. */
  readonly decide: (origin: string) => Promise<boolean>
  /** Nobody waits for an answer any more. */
  readonly cancel: () => void
}

/**
 * A manifest's `allowed_outbound_hosts` are what an application wants; here somebody says what it gets.
 *
 * @param isOwn Whether an origin is this page's, or the relay's: those no application reaches.
 */
export function showNetwork(
  locked: LockedApp,
  key: string,
  isOwn: (origin: string) => boolean,
): NetworkPanel {
  const place = `spindle-playground/network/${key}`
  const decisions = new Map(
    Object.entries((readKept(place) ?? {}) as Record<string, Decision>).filter(
      ([, decision]) => decision === 'allow' || decision === 'block',
    ),
  )
  const waiting = new Map<string, Array<(isAllowed: boolean) => void>>()
  const name = String(locked.metadata?.['name'] ?? 'The application')

  const settle = (origin: string, isAllowed: boolean): void => {
    for (const resolve of waiting.get(origin) ?? []) resolve(isAllowed)
    waiting.delete(origin)
    refresh()
  }
  const set = (origin: string, decision: Decision): void => {
    decisions.set(origin, decision)
    keep(place, Object.fromEntries(decisions))
    settle(origin, decision === 'allow')
  }

  const refresh = (): void => {
    const [next] = waiting.keys()
    find('prompt').hidden = next === undefined
    if (next !== undefined) {
      find('prompt-text').replaceChildren(
        document.createTextNode(`${name} wants to reach `),
        element('code', { text: next }),
        document.createTextNode('. It goes there from this browser, without your cookies.'),
      )
      find('prompt-allow').onclick = () => set(next, 'allow')
      find('prompt-block').onclick = () => set(next, 'block')
    }
    find('decisions').replaceChildren(
      ...(decisions.size === 0
        ? [element('li', { text: 'It has not asked for any host yet.', className: 'quiet' })]
        : [...decisions].map(([origin, decision]) => row(origin, decision))),
    )
  }
  const row = (origin: string, decision: Decision): HTMLElement => {
    const other = decision === 'allow' ? 'block' : 'allow'
    const change = element('button', {
      text: other === 'allow' ? 'Allow' : 'Block',
      className: 'small',
    })
    change.setAttribute('aria-label', `${change.textContent} ${origin}`)
    change.addEventListener('click', () => set(origin, other))
    return element(
      'li',
      {},
      element('code', { text: origin, className: 'name' }),
      element('span', { text: decision === 'allow' ? 'allowed' : 'blocked', className: 'size' }),
      change,
    )
  }

  const wishes = locked.components.flatMap(({ id, metadata }) =>
    ['allowed_outbound_hosts', 'allowed_http_hosts'].flatMap((field) => {
      const hosts = metadata?.[field]
      return Array.isArray(hosts) ? hosts.map((host) => [id, String(host)] as const) : []
    }),
  )
  find('wishes').replaceChildren(
    ...(wishes.length === 0
      ? [
          element('li', {
            text: 'Nothing: no component may reach the network.',
            className: 'quiet',
          }),
        ]
      : wishes.map(([id, host]) =>
          element(
            'li',
            {},
            element('code', { text: host, className: 'name' }),
            element('span', { text: id, className: 'quiet' }),
          ),
        )),
  )
  refresh()
  return {
    decide(origin) {
      if (isOwn(origin)) return Promise.resolve(false)
      const decision = decisions.get(origin)
      if (decision !== undefined) return Promise.resolve(decision === 'allow')
      return new Promise((resolve) => {
        waiting.set(origin, [...(waiting.get(origin) ?? []), resolve])
        refresh()
      })
    },
    cancel() {
      for (const origin of waiting.keys()) settle(origin, false)
      find('prompt').hidden = true
    },
  }
}
