import { isSpindleError, type AppInvalid, type Finding } from 'spindle/errors'
import { element, find } from '../../page/dom.ts'
import { formatCount } from '../../page/format.ts'

/** Each with its place and the line it is about. */
export function showFindings(list: HTMLElement, findings: readonly Finding[]): void {
  list.replaceChildren(
    ...findings.map(({ path, line, column, message, frame }) => {
      const place = [path, line, line === undefined ? undefined : column]
        .filter((part) => part !== undefined)
        .join(':')
      const item = element(
        'li',
        {},
        element('code', { text: place }),
        element('div', { text: message }),
      )
      if (frame !== undefined) {
        const pre = element('pre', { text: frame })
        pre.tabIndex = 0
        pre.setAttribute('aria-label', `${place} in the file`)
        item.append(pre)
      }
      return item
    }),
  )
}

/** Why there is nothing to push. @returns The state's sentence. */
export function showLoadFailure(error: unknown): string {
  const findings =
    isSpindleError(error) && 'findings' in error ? (error as AppInvalid).findings : []
  const title =
    findings.length === 0
      ? 'This can’t be read as an application'
      : `${formatCount(findings.length, 'thing')} to mend in this application`
  find('findings-title').textContent = title
  find('findings-next').textContent =
    findings.length === 0
      ? 'Choose the folder that spin.toml is in, or a zip of it. What the library said:'
      : 'Mend them in your editor, then choose the folder again.'
  const said = error instanceof Error ? error.message : String(error)
  find('findings-message').hidden = findings.length > 0
  find('findings-message').textContent = said
  showFindings(find('finding-list'), findings)
  return `${title}. Nothing was sent.`
}
