import { isSpindleError, type ResponseError } from 'spindle/errors'
import { parseReference } from 'spindle/reference'
import type { Destination } from './destination.ts'
import { readConfig } from '../../page/config.ts'
import { find } from '../../page/dom.ts'

const TITLES: Readonly<Record<string, readonly [title: string, next: string]>> = {
  ERR_UNAUTHORIZED: [
    'The registry refused this login',
    'Check user name and password or token, and that they may push to this name. All you typed is still there.',
  ],
  ERR_CREDENTIALS_INVALID: [
    'The registry refused this login',
    'Check user name and password or token. All you typed is still there.',
  ],
  ERR_NETWORK: [
    'The registry gave this page no answer',
    'Check that the host is right and up. All you typed is still there.',
  ],
  ERR_TIMEOUT: [
    'The registry took too long to answer',
    'Go on from there when it is less busy: what arrived is not sent again.',
  ],
  ERR_RESPONSE: [
    'The registry answered with an error',
    'What it said is below. Try again, and what arrived is not sent again; if it stays so, ask whoever runs it.',
  ],
  ERR_DIGEST_MISMATCH: ['A file changed while it was sent', 'Choose the folder again, then push.'],
  ERR_FILE_MISSING: [
    'A file can’t be read any more',
    'It was moved or changed since it was chosen: choose the folder again, then push.',
  ],
}

/** By status, where that says more than the code. */
const STATUS_TITLES: Readonly<Record<number, readonly [title: string, next: string]>> = {
  413: [
    'The registry has no room for this',
    'It is larger than the registry or a proxy before it takes: leave files out, or ask whoever runs it for room.',
  ],
  429: [
    'The registry asks for patience',
    'It takes no more requests for now. Go on in some minutes: what arrived is not sent again.',
  ],
  507: [
    'The registry has no room left',
    'Delete what is not needed there, or ask whoever runs it for room. What arrived is not sent again.',
  ],
}

/** What went wrong and what to do about it. @returns The state's sentence. */
export function showFailure(error: unknown, { reference, isDemo, relay }: Destination): string {
  const code = isSpindleError(error) ? error.code : ''
  const status = isSpindleError(error) ? (error as Partial<ResponseError>).status : undefined
  const [title, next] = STATUS_TITLES[status ?? 0] ??
    TITLES[code] ?? [
      'The push did not finish',
      'What the library said is below. All you typed is still there: mend it, then try again.',
    ]
  const host = parseReference(reference).registry
  show(title, next, error)
  const isOpaque = code === 'ERR_NETWORK' && !isDemo
  find('cors').hidden = !isOpaque
  find('use-demo').hidden = !isOpaque
  find('through-relay').hidden =
    !isOpaque || relay !== undefined || readConfig().relay === undefined
  find('cors-host').textContent = host
  find('cors-headers').textContent = corsHeaders()
  find('retry').textContent = 'Try again'
  return `${title}. The push is not finished.`
}

export function showCancelled({ there, all }: { there: number; all: number }): string {
  const next =
    there === 0
      ? 'Nothing was left behind under the tag. Push again whenever you like.'
      : `${there} of ${all} blobs are there and are not sent again. The tag was not written.`
  show('Cancelled', next, undefined)
  find('cors').hidden = true
  find('use-demo').hidden = true
  find('through-relay').hidden = true
  find('retry').textContent = 'Go on from there'
  return 'Cancelled. The tag was not written.'
}

function show(title: string, next: string, error: unknown): void {
  find('failure-title').textContent = title
  find('failure-next').textContent = next
  find('failure-details').hidden = error === undefined
  find('failure-message').textContent = error instanceof Error ? error.message : String(error)
}

/** Exactly what pushing, with logins and large blobs, asks of a registry. */
function corsHeaders(): string {
  return [
    `Access-Control-Allow-Origin: ${location.origin}`,
    'Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH',
    'Access-Control-Allow-Headers: Accept, Authorization, Content-Type, Content-Range',
    'Access-Control-Expose-Headers: Location, Docker-Content-Digest, Link, Range,',
    '  OCI-Subject, WWW-Authenticate, Content-Length',
  ].join('\n')
}
