import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import process from 'node:process'
import { Builder } from 'selenium-webdriver'

const LIBRARIES = '/usr/lib/x86_64-linux-gnu'

/** @returns {{ driver: string, browser: string, display: string } | undefined} WebKitGTK and what drives it. */
export function findWebKit() {
  const driver = process.env.WEBKIT_DRIVER ?? '/usr/bin/WebKitWebDriver'
  const display = '/usr/bin/Xvfb'
  const browser =
    process.env.WEBKIT_BROWSER ??
    (existsSync(LIBRARIES) ? readdirSync(LIBRARIES) : [])
      .filter((name) => name.startsWith('webkit2gtk-'))
      .map((name) => `${LIBRARIES}/${name}/MiniBrowser`)
      .find((path) => existsSync(path))
  if (browser === undefined || ![driver, display, browser].every((path) => existsSync(path)))
    return undefined
  return { driver, browser, display }
}

/**
 * Starts WebKitGTK's own browser on a display of its own.
 *
 * @returns {Promise<{ driver: import('selenium-webdriver').WebDriver, close(): Promise<void> }>}
 */
export async function startWebKit() {
  const found = findWebKit()
  if (found === undefined)
    throw new Error('no WebKitGTK: install webkit2gtk-driver and xvfb, see CONTRIBUTING.md')
  const display = spawn(found.display, ['-displayfd', '3', '-screen', '0', '1280x1024x24'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  const number = await new Promise((resolve, reject) => {
    display.once('error', reject)
    display.once('exit', (code) => reject(new Error(`Xvfb ended with ${code}`)))
    display.stdio[3].once('data', (data) => resolve(String(data).trim()))
  })
  const port = await freePort()
  const server = spawn(found.driver, [`--port=${port}`], {
    stdio: 'ignore',
    env: { ...process.env, DISPLAY: `:${number}` },
  })
  const stop = () => {
    server.kill()
    display.kill()
  }
  process.once('exit', stop)
  await accepts(port)
  const driver = await new Builder()
    .usingServer(`http://127.0.0.1:${port}`)
    .withCapabilities({
      browserName: 'MiniBrowser',
      'webkitgtk:browserOptions': { binary: found.browser, args: ['--automation'] },
    })
    .build()
  return {
    driver,
    close: async () => {
      process.off('exit', stop)
      await driver.quit().catch(() => {})
      stop()
    },
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

async function accepts(port) {
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/status`).catch(() => undefined)
    if (answer?.ok) return
    if (tries > 200) throw new Error('WebKitWebDriver does not answer')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
