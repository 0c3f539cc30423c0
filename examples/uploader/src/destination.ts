import { isSpindleError } from 'spindle/errors'
import { parseReference } from 'spindle/reference'
import { readConfig } from '../../page/config.ts'
import { find } from '../../page/dom.ts'
import { keep, keepDrafts, readKept } from '../../page/drafts.ts'

export interface Destination {
  readonly reference: string
  readonly isDemo: boolean
  /** Where a relay is that goes to the registry. Absent: the page asks it itself. */
  readonly relay?: string
  /** Absent: anonymous. Never leaves memory. */
  readonly credentials?: { readonly username: string; readonly password: string }
}

/** The demo registry answers for any host; `.test` can never be a real one. */
const DEMO_HOST = 'registry.test'
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/

const field = (id: string): HTMLInputElement => find<HTMLInputElement>(id)
const demoChoice = document.querySelector<HTMLInputElement>('input[name="place"][value="demo"]')

export function isDemoChosen(): boolean {
  return demoChoice?.checked === true
}

export function chooseDemo(): void {
  if (demoChoice !== null) demoChoice.checked = true
  refresh()
}

/** What was typed for either place is kept while the other is looked at, and over a reload. */
const typed = { registry: '', demo: '' }
const DRAFTS = 'spindle-uploader/reference'
const config = readConfig()
let shown: keyof typeof typed = 'registry'

/** Says, while it is typed, whether it can be pushed to and where the bytes would go. */
export function listenToDestination(): void {
  keepDrafts('spindle-uploader/form', ['anonymous', 'username', 'relay'])
  // A link may say where to; never who.
  const kept = readKept(DRAFTS)
  typed.registry =
    new URLSearchParams(location.search).get('to') ?? (typeof kept === 'string' ? kept : '')
  field('reference').value = typed.registry
  find<HTMLDetailsElement>('relay-options').open = field('relay').value !== ''
  for (const choice of document.querySelectorAll('input[name="place"]')) {
    choice.addEventListener('change', refresh)
  }
  field('reference').addEventListener('input', () => {
    typed[shown] = field('reference').value
    if (shown === 'registry') keepTyped()
    check(false)
  })
  field('relay').addEventListener('input', () => check(false))
  field('anonymous').addEventListener('change', refresh)
  refresh()
}

/** From here on a reload, or the way back to here, finds what was typed and not what the link said. */
function keepTyped(): void {
  const link = new URL(location.href)
  link.searchParams.delete('to')
  if (keep(DRAFTS, typed.registry)) history.replaceState(null, '', link)
}

/** An example to start from, in the demo registry; never over what somebody typed. */
export function suggestReference(name: string, version: string | undefined): void {
  const path =
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '') || 'app'
  const tag = (version ?? '').replace(/[^\w.-]/g, '-') || 'latest'
  if (typed.demo === '') typed.demo = `${DEMO_HOST}/${path}:${tag}`
  refresh()
}

/** @returns `undefined` when the form needs another look: the field that does has the focus. */
export function readDestination(): Destination | undefined {
  if (!check(true)) {
    field('reference').focus()
    return undefined
  }
  const username = field('username').value
  const password = field('password').value
  const isDemo = isDemoChosen()
  const relay = isDemo ? undefined : relayFor(field('reference').value)
  const isAnonymous = isDemo || field('anonymous').checked || (username === '' && password === '')
  return {
    reference: field('reference').value.trim(),
    isDemo,
    ...(relay !== undefined && { relay }),
    ...(isAnonymous ? {} : { credentials: { username, password } }),
  }
}

/** The one that was typed; else the page's own for registries that it goes to. */
function relayFor(reference: string): string | undefined {
  const typed = field('relay').value.trim()
  if (typed !== '') return typed
  const { registry } = parseReference(reference.trim())
  return config.relay !== undefined && config.relayed.includes(registry) ? config.relay : undefined
}

export function setRelay(relay: string): void {
  field('relay').value = relay
  find<HTMLDetailsElement>('relay-options').open = true
  field('relay').dispatchEvent(new Event('input'))
}

function refresh(): void {
  shown = isDemoChosen() ? 'demo' : 'registry'
  field('reference').value = typed[shown]
  find('login').hidden = shown === 'demo'
  find('credentials').hidden = field('anonymous').checked
  check(false)
}

function check(isFinal: boolean): boolean {
  const input = field('reference')
  const hint = find('reference-hint')
  const show = (text: string, isWrong: boolean): boolean => {
    hint.textContent = text
    hint.classList.toggle('wrong', isWrong)
    if (isWrong) input.setAttribute('aria-invalid', 'true')
    else input.removeAttribute('aria-invalid')
    return !isWrong
  }
  const text = input.value.trim()
  if (text === '') return show('A host, a name and a tag, as in ghcr.io/team/hello:1.0.0.', isFinal)
  try {
    const reference = parseReference(text)
    if (reference.tag === undefined && reference.digest === undefined)
      return show('Add a tag at the end, as in :1.0.0.', true)
    if (shown === 'demo') return show('Bytes stay in this page, and go when it is closed.', false)
    const relay = relayFor(text)
    if (relay !== undefined)
      return show(
        `Bytes go through the relay at ${new URL(relay, location.href).host} to ${reference.registry}, and nowhere else.`,
        false,
      )
    const scheme = LOOPBACK.test(reference.registry) ? 'http' : 'https'
    return show(`Bytes go to ${scheme}://${reference.registry}, and nowhere else.`, false)
  } catch (error) {
    if (!isSpindleError(error))
      return show('The relay is no address: write it as https://relay.example/relay.', true)
    return show(error.message.replace(/^.*? is not a reference: /s, 'Not yet: '), true)
  }
}
