import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-pool-workers'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { CHROMIUM_FLAGS, findChromium } from './lanes/chromium.mjs'
import { recipes } from './lanes/recipes.mjs'
import { sharedVectors } from './lanes/shared-vectors.mjs'
import { workerScriptDefine } from './lanes/worker-script.mjs'

const executablePath = findChromium()

/** In CI a test may fail once, and is then named: see CONTRIBUTING.md, "Lanes". */
const retry = process.env['CI'] === 'true' ? 1 : 0

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    projects: [
      {
        plugins: [sharedVectors(), recipes()],
        define: await workerScriptDefine(),
        test: {
          name: 'node',
          environment: 'node',
          setupFiles: ['test/lanes/byte-equality.ts'],
          include: ['test/**/*.test.ts'],
          // By variable: `--exclude` does not reach the projects.
          exclude: [
            'test/workerd/**',
            '**/node_modules/**',
            ...(process.env['LANE_EXCLUDE'] ?? '').split(',').filter(Boolean),
          ],
          // A busy machine is slow, not broken; what hangs still ends.
          testTimeout: 30_000,
          hookTimeout: 30_000,
          expect: { poll: { timeout: 20_000 } },
          retry,
        },
      },
      {
        plugins: [sharedVectors(), recipes()],
        // Found late, they would reload the page under the tests.
        optimizeDeps: {
          include: [
            '@noble/ciphers/salsa.js',
            '@noble/curves/abstract/edwards.js',
            '@noble/curves/ed25519.js',
            '@noble/curves/nist.js',
            '@noble/hashes/scrypt.js',
          ],
        },
        test: {
          name: 'chromium',
          include: ['test/portable/**/*.test.ts'],
          setupFiles: ['test/lanes/byte-equality.ts'],
          testTimeout: 30_000,
          retry,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                args: CHROMIUM_FLAGS,
                ...(executablePath === undefined ? {} : { executablePath }),
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        plugins: [
          sharedVectors(),
          recipes(),
          cloudflareTest({
            miniflare: { compatibilityDate: '2026-03-01', r2Buckets: ['BUCKET'] },
          }),
        ],
        test: {
          name: 'workerd',
          // Whoever attacks a relay attacks it in a Worker. What names resolve to, only Node can ask.
          include: [
            'test/portable/**/*.test.ts',
            'test/workerd/**/*.test.ts',
            'test/security/relay-!(dns).test.ts',
          ],
          testTimeout: 30_000,
          retry,
          setupFiles: ['test/lanes/bare-worker.ts', 'test/lanes/byte-equality.ts'],
        },
      },
    ],
  },
})
