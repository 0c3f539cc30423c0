import { readConfig } from '../../page/config.ts'
import { copyButton } from '../../page/copy-button.ts'
import { element, find } from '../../page/dom.ts'
import { formatCount, shortenReference } from '../../page/format.ts'
import { shellArgument } from '../../page/source-text.ts'
import type { Destination } from './destination.ts'
import type { TransferResult } from './transfer.ts'

/** What came of it, and what to do with it. @returns The state's sentence. */
export function showResult(
  { reference, key, isKept }: TransferResult,
  { isDemo }: Destination,
  { skipped, all }: { skipped: number; all: number },
): string {
  const title = key === undefined ? 'Pushed' : 'Pushed and signed'
  find('result-title').textContent = title
  const saved =
    skipped === 0
      ? ''
      : skipped === all
        ? ' All of it was there already: nothing had to be sent.'
        : ` ${skipped} of ${formatCount(all, 'blob')} were there already and had not to be sent.`
  find('result-next').textContent =
    (isDemo
      ? 'It is in this browser only: choose a registry to run it elsewhere.'
      : 'Hand on the reference with its digest: it means these bytes for ever.') + saved
  const entries: Array<readonly [string, string, string]> = [['Reference', reference, 'reference']]
  if (!isDemo) {
    entries.push(['Run it', commandFor(reference), 'command to run it'])
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
  const link = find<HTMLAnchorElement>('run-here')
  const { playground } = readConfig()
  // What is in this page's memory alone can't be opened by another page.
  link.hidden = playground === undefined || (isDemo && !isKept)
  if (playground !== undefined) {
    const query = new URLSearchParams({ ref: reference, ...(!isDemo && key && { key }) })
    link.href = `${playground}?${query}`
  }
  return `${title}.`
}

function commandFor(reference: string): string {
  const insecure = /^(?:localhost|127\.|\[::1\])/.test(reference) ? ' --insecure' : ''
  return `spin up --from ${shellArgument(reference)}${insecure}`
}
