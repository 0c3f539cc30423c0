import { hold } from './hold.ts'

/** Characters of a name in an address: enough that two applications never share one. */
const LENGTH = 16

/**
 * A name for an application's origin. Tabs have one each, so that the page of one never asks the
 * playground of another.
 */
export async function labelOf(key: string): Promise<string> {
  const bytes = new TextEncoder().encode(`${key}\n${await tabId()}`)
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .slice(0, LENGTH)
}

let own: Promise<string> | undefined

/**
 * Outlives a reload, so that the application's own pages find what they kept. A tab that is a copy
 * of another, with all that it remembers, gets its own.
 */
function tabId(): Promise<string> {
  return (own ??= findTabId())
}

async function findTabId(): Promise<string> {
  const fresh = crypto.randomUUID()
  try {
    const known = sessionStorage.getItem('spindle-tab')
    if (known !== null && (await hold(`tab ${known}`)) !== undefined) return known
    sessionStorage.setItem('spindle-tab', fresh)
    await hold(`tab ${fresh}`)
  } catch {
    // Nothing is kept, so nothing is copied either.
  }
  return fresh
}
