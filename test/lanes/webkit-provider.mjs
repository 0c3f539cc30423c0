import { defineBrowserProvider } from '@vitest/browser'
import { startWebKit } from './webkit.mjs'

/** Lets the test runner open its page in WebKitGTK, one window for all files. */
export function webkit() {
  return defineBrowserProvider({
    name: 'webkitgtk',
    supportedBrowser: ['webkit'],
    options: {},
    providerFactory() {
      /** @type {ReturnType<typeof startWebKit> | undefined} */
      let started
      return {
        name: 'webkitgtk',
        supportsParallelism: false,
        getCommandsContext: () => ({}),
        async openPage(_session, url) {
          started ??= startWebKit()
          const { driver } = await started
          await driver.get(url)
        },
        async close() {
          await (await started)?.close()
        },
      }
    },
  })
}
