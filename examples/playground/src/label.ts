/** Characters of a name in an address: enough that two applications never share one. */
const LENGTH = 16

/**
 * A name for an application's origin. Tabs have one each, so that the page of one never asks the
 * playground of another.
 */
export async function labelOf(key: string): Promise<string> {
  const bytes = new TextEncoder().encode(`${key}\n${tabId()}`)
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .slice(0, LENGTH)
}

/** Outlives a reload, so that the application's own pages find what they kept. */
function tabId(): string {
  const fresh = crypto.randomUUID()
  try {
    const known = sessionStorage.getItem('spindle-tab')
    if (known === null) sessionStorage.setItem('spindle-tab', fresh)
    return known ?? fresh
  } catch {
    return fresh
  }
}
