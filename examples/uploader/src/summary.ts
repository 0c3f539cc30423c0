import type { App } from 'spindle/app'
import { element, find } from '../../page/dom.ts'
import { showFindings } from './findings.ts'
import { formatBytes, formatCount } from '../../page/format.ts'

type Bytes = App['components'][number]['wasmContent']

const sizeOf = (content: Bytes): number =>
  content instanceof Uint8Array ? content.length : content.size

/** What was read, before anything is sent. */
export function showSummary(app: App): void {
  const { name, version = '' } = app
  const lines: Node[] = [line(app.manifestPath, sizeOf(app.files.get(app.manifestPath) as Bytes))]
  let total = 0
  for (const { id, table, wasmContent, fileTree } of app.components) {
    const static_ = [...fileTree.values()].reduce((sum, file) => sum + sizeOf(file), 0)
    total += sizeOf(wasmContent) + static_
    const source = typeof table.source === 'string' ? table.source : `component ${id}`
    lines.push(line(source, sizeOf(wasmContent)))
    if (fileTree.size > 0)
      lines.push(line(`${formatCount(fileTree.size, 'file')} of ${id}`, static_))
  }
  find('app-name').textContent = `${name} ${version}`.trim()
  find('app-facts').textContent =
    `${formatCount(app.components.length, 'component')} · ${formatBytes(total)}`
  find('app-files').replaceChildren(...lines)
  find('warnings').hidden = app.warnings.length === 0
  find('warnings-title').textContent = formatCount(app.warnings.length, 'warning')
  showFindings(find('warning-list'), app.warnings)
}

function line(name: string, bytes: number): HTMLElement {
  return element(
    'li',
    {},
    element('code', { text: name, className: 'name' }),
    element('span', { text: formatBytes(bytes), className: 'size' }),
  )
}
