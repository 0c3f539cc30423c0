import { isSpindleError } from 'spindle/errors'
import { parseReference } from 'spindle/reference'
import { readConfig } from '../../page/config.ts'
import { find } from '../../page/dom.ts'
import { keepDrafts } from '../../page/drafts.ts'
import { assertReference, type Wanted } from './open-app.ts'
import type { Check } from './signature-check.ts'

const field = (id: string): HTMLInputElement => find<HTMLInputElement>(id)
const config = readConfig()
const LOOPBACK = /^(?:localhost|[\w.-]+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/

/**
 * Says, while it is typed, what would be asked; keeps what is typed.
 *
 * @returns The reference that was typed and not opened before a reload: the link is opened first.
 */
export function listenToForm(onOpen: (wanted: Wanted) => void): string | undefined {
  keepDrafts('spindle-playground/form', [
    'reference',
    'relay',
    'username',
    'check-none',
    'check-key',
    'check-identity',
    'key',
    'identity',
    'issuer',
  ])
  const typed = field('reference').value
  fillFromLink()
  for (const input of document.querySelectorAll('#form input, #form textarea'))
    input.addEventListener('input', () => refresh())
  find('key-file').addEventListener('change', async () => {
    const [file] = field('key-file').files ?? []
    if (file === undefined) return
    field('key').value = await file.text()
    field('key').dispatchEvent(new Event('input', { bubbles: true }))
  })
  find('form').addEventListener('submit', (event) => {
    event.preventDefault()
    const wanted = readForm()
    if (wanted !== undefined) onOpen(wanted)
  })
  refresh()
  const [visit] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
  return visit?.type !== 'navigate' && typed !== '' ? typed : undefined
}

/** A link says what and how to check it; never who asks. */
function fillFromLink(): void {
  const link = new URLSearchParams(location.search)
  const set = (id: string, name: string): void => {
    const value = link.get(name)
    if (value !== null) field(id).value = value
  }
  set('reference', 'ref')
  if (link.has('key')) {
    field('key').value = pemOf(link.get('key') ?? '')
    field('check-key').checked = true
  } else if (link.has('identity')) {
    set('identity', 'identity')
    set('issuer', 'issuer')
    field('check-identity').checked = true
  } else if (link.has('ref')) field('check-none').checked = true
  if (!field('check-none').checked) find<HTMLDetailsElement>('options').open = true
}

function pemOf(base64: string): string {
  const lines =
    base64
      .replaceAll('-', '+')
      .replaceAll('_', '/')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN PUBLIC KEY-----\n${lines.join('\n')}\n-----END PUBLIC KEY-----\n`
}

/** The link to what the form says: a key is no secret, a password never gets here. */
export function linkOf({ reference, check }: Wanted): string {
  const link = new URLSearchParams({ ref: reference })
  if (check?.kind === 'key') link.set('key', linkKey(check.key))
  if (check?.kind === 'identity') {
    link.set('identity', check.identity)
    link.set('issuer', check.issuer)
  }
  return `?${link}`
}

function linkKey(pem: string): string {
  return pem
    .replace(/-----[^-]+-----|\s/g, '')
    .replaceAll('+', '-')
    .replaceAll('/', '_')
}

export function setReference(reference: string): void {
  field('reference').value = reference
  refresh()
}

export function setRelay(relay: string): void {
  field('relay').value = relay
  find<HTMLDetailsElement>('options').open = true
  refresh()
}

/** @returns `undefined` when it needs another look: the field that does has the focus. */
export function readForm(): Wanted | undefined {
  if (!refresh(true)) {
    field('reference').focus()
    return undefined
  }
  const check = readCheck()
  if (check === 'incomplete') return undefined
  const reference = field('reference').value.trim()
  const username = field('username').value
  const password = field('password').value
  const relay = relayFor(reference)
  return {
    reference,
    ...(relay !== undefined && { relay }),
    ...((username !== '' || password !== '') && { credentials: { username, password } }),
    ...(check !== undefined && { check }),
  }
}

/** The one that was typed; else the page's own for registries that it goes to. */
function relayFor(reference: string): string | undefined {
  const { registry } = parseReference(reference)
  const typed = field('relay').value.trim()
  if (typed !== '') return typed
  return config.relay !== undefined && config.relayed.includes(registry) ? config.relay : undefined
}

function readCheck(): Check | undefined | 'incomplete' {
  const need = (id: string): string | undefined => {
    const value = field(id).value.trim()
    const isMissing = value === ''
    field(id).toggleAttribute('aria-invalid', false)
    if (!isMissing) return value
    find<HTMLDetailsElement>('options').open = true
    field(id).setAttribute('aria-invalid', 'true')
    field(id).focus()
    return undefined
  }
  if (field('check-key').checked) {
    const key = need('key')
    return key === undefined ? 'incomplete' : { kind: 'key', key }
  }
  if (field('check-identity').checked) {
    const identity = need('identity')
    if (identity === undefined) return 'incomplete'
    const issuer = need('issuer')
    return issuer === undefined ? 'incomplete' : { kind: 'identity', identity, issuer }
  }
  return undefined
}

function refresh(isFinal = false): boolean {
  find('key-fields').hidden = !field('check-key').checked
  find('identity-fields').hidden = !field('check-identity').checked
  const input = field('reference')
  const show = (text: string, isWrong: boolean): boolean => {
    const hint = find('reference-hint')
    hint.textContent = text
    hint.classList.toggle('wrong', isWrong)
    if (isWrong) input.setAttribute('aria-invalid', 'true')
    else input.removeAttribute('aria-invalid')
    return !isWrong
  }
  const text = input.value.trim()
  if (text === '')
    return show('A host, a name and a tag or digest, as in ghcr.io/team/hello:1.0.0.', isFinal)
  try {
    assertReference(text)
    const { registry } = parseReference(text)
    const relay = relayFor(text)
    const scheme = LOOPBACK.test(registry) ? 'http' : 'https'
    return show(
      relay === undefined
        ? `Asks ${scheme}://${registry}, and nobody else.`
        : `Asks ${registry} through the relay at ${new URL(relay, location.href).host}.`,
      false,
    )
  } catch (error) {
    if (!isSpindleError(error)) return show('That relay is no address.', true)
    return show(
      error.message.replace(/^.*? is not a reference: /s, 'Not yet: '),
      isFinal || text.includes('/'),
    )
  }
}
