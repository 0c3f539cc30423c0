import { existsSync } from 'node:fs'
import process from 'node:process'

/** @returns {string | undefined} A Firefox to drive: `FIREFOX` names one, else where systems put it. */
export function findFirefox() {
  const named = process.env.FIREFOX
  if (named !== undefined) return existsSync(named) ? named : undefined
  return [
    '/usr/bin/firefox-esr',
    '/usr/bin/firefox',
    '/Applications/Firefox.app/Contents/MacOS/firefox',
  ].find((path) => existsSync(path))
}

/** How Playwright starts a Firefox as it is published: by WebDriver BiDi, not by its own protocol. */
export function firefoxLaunch() {
  const executablePath = findFirefox()
  return {
    channel: 'moz-firefox',
    headless: true,
    ...(executablePath !== undefined && { executablePath }),
  }
}
