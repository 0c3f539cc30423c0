import { find } from '../../page/dom.ts'
import { formatBytes, formatCount } from '../../page/format.ts'
import type { OpenOptions } from './open-app.ts'

/** @param text Default: what is done before anything is known. */
export function showProgress(text: string | undefined, loaded = 0, all = 0): void {
  const bar = find<HTMLProgressElement>('bar')
  if (all === 0) bar.removeAttribute('value')
  else {
    bar.max = all
    bar.value = loaded
  }
  find('bar-text').textContent = text ?? 'Asking what there is'
}

/** Shows how far a pull has come. */
export function createMeter(): OpenOptions['onProgress'] {
  let plan = { blobs: 0, bytes: 0 }
  const done = new Map<string, number>()
  return (event) => {
    if (event.type === 'plan') plan = event
    if (event.type === 'blob' && event.status === 'done')
      done.set(event.descriptor.digest, event.descriptor.size)
    const loaded = [...done.values()].reduce((sum, size) => sum + size, 0)
    showProgress(
      `${formatBytes(loaded)} of ${formatBytes(plan.bytes)} · ${done.size} of ${formatCount(plan.blobs, 'blob')}`,
      loaded,
      Math.max(plan.bytes, 1),
    )
  }
}
