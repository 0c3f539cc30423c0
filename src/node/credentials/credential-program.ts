import { spawn } from 'node:child_process'
import { concat } from '../../bytes/stream.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import { SpindleError } from '../../errors.ts'
import type { Credentials } from '../../types.ts'
import { AUTH_VARIABLE, fromPair, oneLine } from './auth-file.ts'

/** Maximum bytes of a helper's output. Tokens of cloud registries have a few KiB. */
const MAX_OUTPUT = 1024 * 1024
/** Milliseconds for a helper: a keychain can prompt the user first. */
const MAX_WAIT = 60_000

interface HelperOptions {
  /** For the helper. Its `PATH` is where the helper is looked for. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** The file or variable that names the helper, for messages. */
  readonly namedIn: string
}

interface Outcome {
  readonly code: number | null
  readonly stdout: Uint8Array
  readonly stderr: Uint8Array
}

/**
 * Asks `docker-credential-NAME` for the login of a server; `undefined` when it has none.
 * @throws `ERR_CREDENTIALS_INVALID` when the helper isn't there, fails or answers something else.
 * @see https://github.com/docker/docker-credential-helpers#development
 */
export async function askCredentialHelper(
  name: string,
  server: string,
  options: HelperOptions,
): Promise<Credentials | undefined> {
  const failed = failureIn(options.namedIn)
  // It becomes a program's name: nothing in it may lead to another folder or be an option.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) {
    throw failed(
      `the credential helper's name ${JSON.stringify(name.slice(0, 80))} in ${options.namedIn} is no name`,
      'correct it',
    )
  }
  const program = `docker-credential-${name}`
  const named = `${program}, named in ${options.namedIn},`
  let outcome: Outcome
  try {
    outcome = await run(program, server, options.env)
  } catch (cause) {
    const missing = (cause as { code?: unknown }).code === 'ENOENT'
    throw failed(
      `${named} ${missing ? 'is not on PATH' : `can't be used: ${(cause as Error).message}`}`,
      'install it, or take its name out of there',
      cause,
    )
  }
  if (outcome.code !== 0) {
    // The protocol has errors on stdout. A broken helper may have written the secret there too.
    const message = oneLine(outcome.stdout.length > 0 ? outcome.stdout : outcome.stderr)
    if (message.includes('credentials not found')) return undefined
    const shown =
      message === '' || message.includes('{') || /secret/i.test(message) ? '' : `: ${message}`
    throw failed(
      `${named} failed with exit code ${outcome.code} for ${server}${shown}`,
      `run it by hand: echo ${server} | ${program} get`,
    )
  }
  const credentials = parseAnswer(outcome.stdout)
  if (credentials === undefined)
    throw failed(
      `${named} answered for ${server} with something else than a login`,
      `run it by hand: echo ${server} | ${program} get`,
    )
  return credentials === 'none' ? undefined : credentials
}

function parseAnswer(stdout: Uint8Array): Credentials | 'none' | undefined {
  let answer: unknown
  try {
    answer = parseJson(stdout, 'the answer')
  } catch {
    return undefined
  }
  if (!isJsonObject(answer)) return undefined
  const username = answer['Username']
  const secret = answer['Secret']
  if (typeof username !== 'string' || typeof secret !== 'string') return undefined
  if (username === '' && secret === '') return 'none'
  return username === '' ? undefined : fromPair(username, secret)
}

function run(program: string, server: string, env: HelperOptions['env']): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], {
      shell: false,
      windowsHide: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...env },
    })
    const stop = (error: Error): void => {
      child.kill('SIGKILL')
      reject(error)
    }
    const timer = setTimeout(
      () => stop(new Error(`no answer in ${MAX_WAIT / 1000} seconds`)),
      MAX_WAIT,
    )
    const collect = (stream: NodeJS.ReadableStream): Uint8Array[] => {
      const chunks: Uint8Array[] = []
      let size = 0
      stream.on('data', (chunk: Uint8Array) => {
        size += chunk.length
        if (size > MAX_OUTPUT) stop(new Error(`it writes more than ${MAX_OUTPUT} bytes`))
        else chunks.push(chunk)
      })
      return chunks
    }
    const stdout = collect(child.stdout)
    const stderr = collect(child.stderr)
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, stdout: concat(stdout), stderr: concat(stderr) })
    })
    // A helper can exit without reading its input; its output counts.
    child.stdin.on('error', () => {})
    child.stdin.end(`${server}\n`)
  })
}

function failureIn(place: string) {
  const orLogin =
    place === AUTH_VARIABLE ? '' : ', or log in with "spindle registry login", which is asked first'
  return (problem: string, next: string, cause?: unknown): SpindleError =>
    new SpindleError(
      'ERR_CREDENTIALS_INVALID',
      `${problem}; ${next}${orLogin}`,
      cause === undefined ? undefined : { cause },
    )
}
