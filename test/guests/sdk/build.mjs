// Builds real guests with the public SDKs, as their templates do, once for each state of their
// sources: `node test/guests/sdk/build.mjs [NAME…]`. They go to the folder that SPINDLE_GUESTS
// names, or to .cache/guests. What can't be built is named with the reason, and the tests that need
// it say that it is missing.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const cache = process.env.SPINDLE_GUESTS ?? here('../../../.cache/guests')
/** Milliseconds for one step: a cold build of Rust takes three minutes on two cores. */
const STEP_TIMEOUT = 600_000

/** Each has the files that it is built of, and returns where its component was written. */
const recipes = {
  'rust-3': rust('sdk-3', 'buffered.rs', 'wasm32-wasip1'),
  'rust-5': rust('sdk-5', 'buffered.rs', 'wasm32-wasip1'),
  'rust-6': rust('sdk-6', 'streamed.rs', 'wasm32-wasip1'),
  'rust-6-component': rust('sdk-6', 'streamed.rs', 'wasm32-wasip2'),
  grpc: {
    sources: ['Cargo.toml', 'Cargo.lock', 'build.rs', 'greeter.proto', 'greeter.rs'].map(
      (name) => `grpc/${name}`,
    ),
    build: () => cargo('grpc', 'wasm32-wasip2', 'grpc'),
  },
  'python-3': python('sdk-3', 'buffered', 'spin-http'),
  'python-4': python('sdk-4', 'streamed', 'spin:up/http-trigger@4.0.0'),
  'python-5': python('sdk-5', 'streamed', 'spin:up/http-trigger@4.1.0'),
  hono: {
    sources: ['javascript/package-lock.json', 'javascript/guest.js', 'javascript/bundle.mjs'],
    build: (folder) => {
      const cwd = here('javascript')
      if (!existsSync(join(cwd, 'node_modules')))
        run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel', 'error'], cwd)
      run(process.execPath, ['bundle.mjs', join(folder, 'bundle.js')], cwd)
      const j2w = ['j2w', '-i', join(folder, 'bundle.js'), '-o', join(folder, 'guest.wasm')]
      run('npx', ['--no-install', ...j2w], cwd)
      return join(folder, 'guest.wasm')
    },
  },
  'go-wagi': {
    sources: ['go/go.mod', 'go/main.go'],
    build: (folder) => {
      const env = { GOOS: 'wasip1', GOARCH: 'wasm' }
      run('go', ['build', '-trimpath', '-o', join(folder, 'guest.wasm'), '.'], here('go'), env)
      return join(folder, 'guest.wasm')
    },
  },
}

function rust(crate, source, target) {
  return {
    sources: [`rust/${crate}/Cargo.toml`, `rust/${source}`, 'rust/Cargo.toml', 'rust/Cargo.lock'],
    build: () => cargo('rust', target, crate),
  }
}

function cargo(folder, target, crate) {
  const cwd = here(folder)
  run('rustup', ['target', 'add', target], cwd)
  const output = join(cache, 'cargo')
  const options = ['--release', '--locked', '--target', target, '--package', crate]
  run('cargo', ['build', '--quiet', ...options], cwd, { CARGO_TARGET_DIR: output })
  return join(output, target, 'release', `${crate.replace('-', '_')}.wasm`)
}

function python(sdk, module, world) {
  return {
    sources: [`python/${sdk}.txt`, `python/${module}.py`],
    build: (folder) => {
      const cwd = here('python')
      const environment = join(cache, `python-${sdk}`)
      const bin = join(environment, 'bin')
      run('python3', ['-m', 'venv', environment], cwd)
      const quiet = ['--quiet', '--disable-pip-version-check']
      run(join(bin, 'pip'), ['install', ...quiet, '-r', `${sdk}.txt`], cwd)
      // It finds the SDK by the environment that is active.
      const env = { VIRTUAL_ENV: environment, PATH: `${bin}:${process.env.PATH}` }
      const output = join(folder, 'guest.wasm')
      run(
        join(bin, 'componentize-py'),
        ['-w', world, 'componentize', module, '-o', output],
        cwd,
        env,
      )
      return output
    },
  }
}

function run(command, args, cwd, env = {}) {
  execFileSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: STEP_TIMEOUT,
  })
}

function pathOf(name) {
  const hash = createHash('sha256')
  for (const source of recipes[name].sources) hash.update(readFileSync(here(source)))
  return join(cache, `${name}-${hash.digest('hex').slice(0, 16)}.wasm`)
}

/** @returns {ReadonlyMap<string, string | undefined>} Where each guest is; nothing for one that nobody has built. */
export function findSdkGuests() {
  return new Map(
    Object.keys(recipes).map((name) => {
      const path = pathOf(name)
      return [name, existsSync(path) ? path : undefined]
    }),
  )
}

function build(name) {
  const path = pathOf(name)
  if (existsSync(path)) return `${statSync(path).size} bytes`
  const folder = join(cache, 'building', name)
  mkdirSync(folder, { recursive: true })
  const output = join(folder, 'done.wasm')
  copyFileSync(recipes[name].build(folder), output)
  renameSync(output, path)
  return `${statSync(path).size} bytes`
}

if (process.argv[1] === here('build.mjs')) {
  for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(recipes))
    try {
      console.log(`${name}: ${build(name)}`)
    } catch (error) {
      const said = String(error.stderr ?? error.message).trim()
      console.log(`${name}: could not be built: ${said.split('\n').at(-1)}`)
    }
}
