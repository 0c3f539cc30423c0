import { isSpindleError } from 'spindle/errors'
import { parseReference } from 'spindle/reference'
import { readConfig } from '../../page/config.ts'
import { find } from '../../page/dom.ts'
import type { Wanted } from './open-app.ts'
import { OriginTakenError, PreviewError } from './preview.ts'

const TITLES: Readonly<Record<string, readonly [title: string, next: string]>> = {
  ERR_NOT_FOUND: [
    'There is no such application',
    'Check the name and the tag or digest. Registries say the same of what needs a login: give one under “Login, relay and signature”.',
  ],
  ERR_UNAUTHORIZED: [
    'The registry wants another login',
    'Give user name and password or token under “Login, relay and signature”, then open it again.',
  ],
  ERR_CREDENTIALS_INVALID: [
    'The registry refused this login',
    'Check user name and password or token, then open it again.',
  ],
  ERR_NETWORK: [
    'The registry gave this page no answer',
    'Check that the host is right and up, then open it again. All you typed is still there.',
  ],
  ERR_TIMEOUT: ['The registry took too long to answer', 'Open it again when it is less busy.'],
  ERR_RESPONSE: ['The registry answered with an error', 'What it said is below.'],
  ERR_POLICY_REJECTED: [
    'It is not signed as you asked',
    'Nothing of it was run. Check the key or identity; if they are right, this is not the application that you want.',
  ],
  ERR_SIGNATURE_INVALID: [
    'Its signature does not hold',
    'Nothing of it was run. Ask whoever published it.',
  ],
  ERR_DIGEST_MISMATCH: [
    'What the registry sent is not what it promised',
    'Nothing of it was run. Open it again; if it stays so, tell whoever runs the registry.',
  ],
  ERR_CONTENT_INVALID: [
    'This is no application that can be run',
    'It may be an image of another kind, or be damaged: push it again with spindle or spin.',
  ],
  ERR_APP_INVALID: ['The application can’t start', 'What is wrong with it is below.'],
  ERR_UNSUPPORTED: ['This browser can’t run it', 'What it needs is below.'],
  ERR_LIMIT_EXCEEDED: [
    'The application is too large for this page',
    'What was too large is below.',
  ],
}

const NO_PREVIEW = [
  'There is nowhere to show it',
  'Applications’ pages are shown from an origin of their own. Allow this site to keep data in this browser, then open it again.',
] as const

const TAKEN = [
  'Another tab shows an application',
  'This page can show one at a time. Close the other tab, or open something else there, then open it again here.',
] as const

/** What went wrong and what to do about it. @returns The state's sentence. */
export function showFailure(error: unknown, wanted: Wanted | undefined): string {
  const said = isSpindleError(error) ? error.code : ''
  const isRefused = said === 'ERR_UNAUTHORIZED' && wanted?.credentials !== undefined
  const code = isRefused ? 'ERR_CREDENTIALS_INVALID' : said
  const [title, next] = (error instanceof OriginTakenError
    ? TAKEN
    : error instanceof PreviewError
      ? NO_PREVIEW
      : TITLES[code]) ?? ['It did not work', 'What the library said is below.']
  find('failure-title').textContent = title
  find('failure-next').textContent = next
  find('failure-message').textContent = error instanceof Error ? error.message : String(error)
  if (code === 'ERR_UNAUTHORIZED' || code === 'ERR_CREDENTIALS_INVALID')
    find<HTMLDetailsElement>('options').open = true
  const isOpaque = code === 'ERR_NETWORK' && wanted !== undefined && wanted.relay === undefined
  find('cors').hidden = !isOpaque
  if (isOpaque) find('cors-host').textContent = parseReference(wanted.reference).registry
  find('use-relay').hidden = !isOpaque || readConfig().relay === undefined
  return `${title}.`
}
