import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-pool-workers'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { BaseSequencer, type BrowserProviderOption, type TestSpecification } from 'vitest/node'
import { CHROMIUM_FLAGS, findChromium } from './lanes/chromium.mjs'
import { firefoxLaunch } from './lanes/firefox.mjs'
import { recipes } from './lanes/recipes.mjs'
import { sharedVectors } from './lanes/shared-vectors.mjs'
import { webkit } from './lanes/webkit-provider.mjs'
import { workerScriptDefine } from './lanes/worker-script.mjs'

const executablePath = findChromium()

/** In CI a test may fail once, and is then named: see CONTRIBUTING.md, "Lanes". */
const retry = process.env['CI'] === 'true' ? 1 : 0

/** Where the lanes of one run share what they have transformed: see `test/run.mjs`. */
const transformed = process.env['LANE_CACHE']

/**
 * Rooms whose files leave nothing behind in their process that another could meet. In the lanes they
 * share it: a process and a copy of all modules for each file take a third of a lane's time.
 */
const SHARED = [
  ...[
    'bindle',
    'bytes',
    'cli',
    'docs',
    'http',
    'lanes',
    'mocks',
    'node',
    'oci',
    'packaging',
    'portable',
  ],
  ...['registry', 'run', 'security', 'serve', 'spin', 'store', 'trust'],
].join('|')
/** Files of these rooms that have a process of their own, and why. */
const ALONE = [
  // It holds the rules that other files test against a storage of its own.
  'test/node/file-storage-rules.test.ts',
  // They fill the one SQLite engine of their process, or need it empty.
  'test/run/older-interfaces.test.ts',
  'test/run/sqlite.test.ts',
  'test/security/guest-sql.test.ts',
  // They measure the memory of their process.
  'test/security/coded-bombs.test.ts',
  'test/security/guest-memory-release.test.ts',
  'test/security/held-bodies.test.ts',
]

const define = await workerScriptDefine()
/** By variable: `--exclude` does not reach the projects. */
const namesIn = (variable: string): string[] =>
  (process.env[variable] ?? '').split(',').filter(Boolean)
const only = namesIn('LANE_INCLUDE')
const leftOut = namesIn('LANE_EXCLUDE')

function nodeProject(
  name: string,
  files: { readonly include: string[]; readonly exclude?: string[]; readonly isolate: boolean },
): TestProjectInlineConfiguration {
  return {
    plugins: [sharedVectors(), recipes()],
    // A copy: the runner takes the keys out of what it is given.
    define: { ...define },
    test: {
      name,
      environment: 'node',
      setupFiles: ['test/lanes/byte-equality.ts'],
      include: only.length > 0 ? only : files.include,
      exclude: [
        'test/workerd/**',
        WEBKIT_PAGES,
        '**/node_modules/**',
        ...leftOut,
        ...(files.exclude ?? []),
      ],
      isolate: files.isolate,
      // A busy machine is slow, not broken; what hangs still ends.
      testTimeout: 30_000,
      hookTimeout: 30_000,
      expect: { poll: { timeout: 20_000 } },
      retry,
    },
  }
}

/** It needs WebKit's driver, and is the lane of WebKit's alone. */
const WEBKIT_PAGES = 'test/browser/webkit-pages.test.ts'

/** What drives the pages in another browser. */
function pagesIn(browser: string): TestProjectInlineConfiguration['test'] {
  return {
    name: `${browser}-pages`,
    environment: 'node',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 20_000 } },
    retry,
  }
}

/** The portable cases in one page of a browser. */
function browserProject(
  name: 'chromium' | 'firefox' | 'webkit',
  provider: BrowserProviderOption,
): TestProjectInlineConfiguration {
  return {
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
      name,
      include: ['test/portable/**/*.test.ts'],
      setupFiles: ['test/lanes/byte-equality.ts'],
      // One page for all files.
      isolate: false,
      testTimeout: 30_000,
      retry,
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider,
        instances: [{ browser: name }],
      },
    },
  }
}

/** Files that share a process come last and together: else the runner would not keep it for them. */
class Sequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const shares = ({ project }: TestSpecification): boolean => project.config.isolate === false
    return [...sorted.filter((file) => !shares(file)), ...sorted.filter(shares)]
  }
}

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    // Only for one run of all lanes: the key of an entry leaves out what plugins and `define` read.
    experimental:
      transformed === undefined ? {} : { fsModuleCache: true, fsModuleCachePath: transformed },
    sequence: { sequencer: Sequencer },
    projects: [
      nodeProject('node', { include: ['test/**/*.test.ts'], isolate: true }),
      // The same files once more, as the lanes run them.
      nodeProject('node-alone', {
        include: ['test/*.test.ts', `test/!(${SHARED})/**/*.test.ts`, ...ALONE],
        isolate: true,
      }),
      nodeProject('node-shared', {
        include: [`test/@(${SHARED})/**/*.test.ts`],
        exclude: ALONE,
        isolate: false,
      }),
      browserProject(
        'chromium',
        playwright({
          launchOptions: {
            args: CHROMIUM_FLAGS,
            ...(executablePath === undefined ? {} : { executablePath }),
          },
        }),
      ),
      {
        plugins: [sharedVectors(), recipes()],
        define: { ...define },
        test: {
          ...pagesIn('firefox'),
          env: { PAGES_IN: 'firefox' },
          include: ['test/browser/{habits,journey,playground*,uploader}.test.ts'],
        },
      },
      { test: { ...pagesIn('webkit'), include: [WEBKIT_PAGES] } },
      browserProject('firefox', playwright({ launchOptions: firefoxLaunch() })),
      browserProject('webkit', webkit()),
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
          // One Worker for all files, which can't read the files of a cache.
          isolate: false,
          experimental: { fsModuleCache: false },
          testTimeout: 30_000,
          retry,
          setupFiles: ['test/lanes/bare-worker.ts', 'test/lanes/byte-equality.ts'],
        },
      },
    ],
  },
})
