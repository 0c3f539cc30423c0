/** Milliseconds for a page that is being left, as by a reload, to give back what it holds. */
const HANDOVER = 1000

/**
 * Takes a name for this tab alone, until it is given back or the page is left.
 *
 * @returns How to give it back; `undefined` when another tab has it.
 */
export function hold(name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    navigator.locks
      .request(
        `spindle ${name}`,
        { signal: AbortSignal.timeout(HANDOVER) },
        () => new Promise<void>((release) => resolve(release)),
      )
      .catch(() => resolve(undefined))
  })
}
