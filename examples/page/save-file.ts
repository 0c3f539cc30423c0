import { element } from './dom.ts'

/** Hands text to the person as a download. */
export function saveFile(name: string, text: string): void {
  const link = element('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
  link.download = name
  link.click()
  // Not at once: the browser reads it after this task.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
