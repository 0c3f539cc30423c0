import { loadApp } from 'spindle/app'
import type { App } from 'spindle/app'
import { find } from '../../page/dom.ts'

/** What somebody gave, and how to say in code where it comes from. */
export interface Chosen {
  /** Call it before the handler returns: afterwards the browser has emptied a drop. */
  readonly load: (signal: AbortSignal) => Promise<App>
  readonly argument: 'input.files' | 'event.dataTransfer' | 'sample'
}

/** Buttons first; dropping anywhere in the window is there for those who can. */
export function listenForFiles(onChosen: (chosen: Chosen) => void): void {
  for (const id of ['folder', 'files']) {
    const input = find<HTMLInputElement>(id)
    input.addEventListener('change', () => {
      if (input.files === null || input.files.length === 0) return
      const files = [...input.files]
      // So that the same folder can be chosen again, after its manifest was mended.
      input.value = ''
      onChosen({ argument: 'input.files', load: (signal) => loadApp(files, { signal }) })
    })
  }
  find('sample').addEventListener('click', () => {
    const load = async (signal: AbortSignal): Promise<App> => {
      const { sample } = await import('../../page/sample.ts')
      return loadApp(sample, { signal })
    }
    onChosen({ argument: 'sample', load })
  })
  listenForDrops((drop) =>
    onChosen({ argument: 'event.dataTransfer', load: (signal) => loadApp(drop, { signal }) }),
  )
}

function listenForDrops(onDrop: (drop: DataTransfer) => void): void {
  let depth = 0
  const showDragging = (): void => void document.body.classList.toggle('dragging', depth > 0)
  const hasFiles = (event: DragEvent): boolean =>
    event.dataTransfer?.types.includes('Files') === true
  addEventListener('dragenter', (event) => {
    if (!hasFiles(event)) return
    depth++
    showDragging()
  })
  addEventListener('dragleave', (event) => {
    if (!hasFiles(event)) return
    depth = Math.max(0, depth - 1)
    showDragging()
  })
  addEventListener('dragover', (event) => {
    if (hasFiles(event)) event.preventDefault()
  })
  addEventListener('drop', (event) => {
    depth = 0
    showDragging()
    if (event.dataTransfer === null || !hasFiles(event)) return
    event.preventDefault()
    onDrop(event.dataTransfer)
  })
}
