import { copyButton } from './copy-button.ts'
import type { Destination } from './destination.ts'
import { element, find } from './dom.ts'
import { formatCount, shortenReference } from './format.ts'
import type { TransferResult } from './transfer.ts'

/** What came of it, and what to do with it. @returns The state's sentence. */
export function showResult(
  { reference, isSigned }: TransferResult,
  { isDemo }: Destination,
  { skipped, all }: { skipped: number; all: number },
): string {
  const title = isSigned ? 'Pushed and signed' : 'Pushed'
  find('result-title').textContent = title
  const saved =
    skipped === 0
      ? ''
      : skipped === all
        ? ' All of it was there already: nothing had to be sent.'
        : ` ${skipped} of ${formatCount(all, 'blob')} were there already and had not to be sent.`
  find('result-next').textContent =
    (isDemo
      ? 'It is in this page’s memory: choose a registry to keep it and to run it elsewhere.'
      : 'Hand on the reference with its digest: it means these bytes for ever.') + saved
  const insecure = /^(?:localhost|127\.|\[::1\])/.test(reference) ? ' --insecure' : ''
  const entries: Array<readonly [string, string, string]> = [['Reference', reference, 'reference']]
  if (!isDemo) {
    entries.push(['Run it', `spin up --from ${reference}${insecure}`, 'command to run it'])
  }
  find('result-list').replaceChildren(
    ...entries.flatMap(([term, text, what]) => [
      element('dt', { text: term }),
      element(
        'dd',
        {},
        element('code', { text: shortenReference(text), title: text }),
        copyButton(`the ${what}`, () => text),
      ),
    ]),
  )
  return `${title}.`
}
