import { ownScript, PAGE_SERVICE_WORKER } from './own-scripts.ts'

/** Has the browser keep all files of this page. Where it may not, the page needs the network. */
export async function keepPage(): Promise<boolean> {
  try {
    await navigator.serviceWorker.register(ownScript(PAGE_SERVICE_WORKER), { type: 'module' })
    await navigator.serviceWorker.ready
    return true
  } catch {
    return false
  }
}
