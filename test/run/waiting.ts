import { expect, it } from 'vitest'
import { hasJspi } from '../../src/run/component/abi/jspi.ts'

/** What is said of a guest that has to wait where it can't: the engines that could. */
export const CANT_WAIT = /JSPI.*Node\.js 24, Chromium 137, Firefox 153, Deno, Bun/

interface Asked {
  readonly get: (path: string) => Promise<Response>
  readonly log: ReadonlyArray<{ readonly text: string }>
}

/**
 * A case in which a guest waits for its host. Where the engine has no JSPI the case is another
 * one: that the same request is refused. So every engine has something to show, and none skips.
 */
export function itWaits(
  name: string,
  waits: () => Promise<void>,
  refused: () => Promise<void>,
): void {
  if (hasJspi()) it(name, waits)
  else it(`${name}: refused, as this engine can’t wait`, refused)
}

/** A request that makes the guest wait has no answer, and what is said names engines that give one. */
export async function expectNoWaiting(app: Asked, path: string): Promise<void> {
  const seen = app.log.length
  const response = await app.get(path)
  // A guest that has sent its headers before it waits is cut off: its body says why.
  if (response.status === 200) {
    await expect(response.text()).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(CANT_WAIT),
    })
    return
  }
  expect([response.status, await response.text()]).toEqual([500, ''])
  expect(app.log.slice(seen).map((line) => line.text)).toContainEqual(
    expect.stringMatching(CANT_WAIT),
  )
}
