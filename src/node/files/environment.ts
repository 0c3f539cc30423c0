import { homedir, userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'
import process from 'node:process'

/** The environment of a user. Missing members come from the process. */
export interface EnvironmentOptions {
  /** Environment variables. Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Default: the user's home folder. */
  readonly home?: string
  /** Default: `process.platform`. */
  readonly platform?: string
}

export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  readonly platform: string
}

export function readEnvironment(options: EnvironmentOptions = {}): Environment {
  const env = options.env ?? process.env
  return {
    env,
    home: options.home ?? nonEmpty(env['HOME']) ?? homedir(),
    platform: options.platform ?? process.platform,
  }
}

/** The configuration folder, as in Spin's `dirs` library. */
export function configFolder({ env, home, platform }: Environment): string {
  if (platform === 'darwin') return join(home, 'Library', 'Application Support')
  if (platform === 'win32') return nonEmpty(env['APPDATA']) ?? join(home, 'AppData', 'Roaming')
  return absolute(env['XDG_CONFIG_HOME']) ?? join(home, '.config')
}

/** The data folder, as in Bindle's `dirs` library. */
export function dataFolder({ env, home, platform }: Environment): string {
  if (platform === 'darwin') return join(home, 'Library', 'Application Support')
  if (platform === 'win32') return nonEmpty(env['APPDATA']) ?? join(home, 'AppData', 'Roaming')
  return absolute(env['XDG_DATA_HOME']) ?? join(home, '.local', 'share')
}

/** The cache folder, as in Spin's `dirs` library. */
export function cacheFolder({ env, home, platform }: Environment): string {
  if (platform === 'darwin') return join(home, 'Library', 'Caches')
  if (platform === 'win32') return nonEmpty(env['LOCALAPPDATA']) ?? join(home, 'AppData', 'Local')
  return absolute(env['XDG_CACHE_HOME']) ?? join(home, '.cache')
}

/** The default login files of podman. @see containers-auth.json(5) */
export function podmanAuthFiles({ env, home, platform }: Environment): readonly string[] {
  const own = join(home, '.config', 'containers', 'auth.json')
  if (platform !== 'linux') return [own]
  const runtime = absolute(env['XDG_RUNTIME_DIR'])
  const run =
    runtime === undefined ? `/run/containers/${userInfo().uid}` : join(runtime, 'containers')
  const config = absolute(env['XDG_CONFIG_HOME']) ?? join(home, '.config')
  return [join(run, 'auth.json'), join(config, 'containers', 'auth.json')]
}

/** The value of a variable that is set to something. */
export function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

// The XDG specification ignores relative paths.
function absolute(value: string | undefined): string | undefined {
  return value !== undefined && isAbsolute(value) ? value : undefined
}
