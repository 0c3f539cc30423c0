import { existsSync } from 'node:fs'
import process from 'node:process'

/** @returns {string | undefined} A Chromium to drive: `CHROMIUM` names one, else where systems put it. */
export function findChromium() {
  const named = process.env.CHROMIUM
  if (named !== undefined) return existsSync(named) ? named : undefined
  return [
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ].find((path) => existsSync(path))
}

/** Headless, and silent on the network: without these it asks its maker's hosts at every start. */
export const CHROMIUM_FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
