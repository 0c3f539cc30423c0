// The large component that is built of JavaScript: some tests run it, where it can be had.
import { readFileSync } from 'node:fs'
import { it } from 'vitest'
import { findJavascriptGuest } from '../guests/javascript/build.mjs'

const path = findJavascriptGuest()

export const javascriptGuest: Uint8Array | undefined =
  path === undefined ? undefined : new Uint8Array(readFileSync(path))

/** A case for that component. Left out, with a word of why, where nothing has built it. */
export function itHasJavascript(name: string, test: (guest: Uint8Array) => Promise<void>): void {
  if (javascriptGuest !== undefined) it(name, () => test(javascriptGuest as Uint8Array))
  else it(name, (context) => context.skip('not built: npm ci --prefix test/guests/javascript'))
}
