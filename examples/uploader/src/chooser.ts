import { loadApp } from 'spindle/app'
import type { App } from 'spindle/app'
import { find } from '../../page/dom.ts'

/** An application on its way, and how to say in code where it comes from. */
export interface Chosen {
  readonly app: Promise<App>
  readonly argument: string
  readonly controller: AbortController
}

/** Buttons first; dropping anywhere in the window is there for those who can. */
export function listenForFiles(onChosen: (chosen: Chosen) => void, isBusy: () => boolean): void {
  const take = (argument: string, load: (signal: AbortSignal) => Promise<App>): void => {
    const controller = new AbortController()
    onChosen({ app: load(controller.signal), argument, controller })
  }
  for (const id of ['folder', 'files']) {
    const input = find<HTMLInputElement>(id)
    input.addEventListener('change', () => {
      if (input.files === null || input.files.length === 0) return
      const files = [...input.files]
      // So that the same folder can be chosen again, after its manifest was mended.
      input.value = ''
      take('input.files', (signal) => loadApp(files, { signal }))
    })
  }
  find('sample').addEventListener('click', () => {
    take('sample', async (signal) => {
      const { sample } = await import('../../page/sample.ts')
      return loadApp(sample, { signal })
    })
  })
  listenForDrops((drop) => {
    // Called before the handler returns: afterwards the browser has emptied the drop.
    if (!isBusy()) take('event.dataTransfer', (signal) => loadApp(drop, { signal }))
  })
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
