import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'

/** The reference implementation as `bindle-peer/` wires it; `undefined` where it isn't compiled. */
export const bindlePeer: string | undefined = [
  process.env['BINDLE_PEER'],
  join(
    process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    'spindle-peers',
    'bindle-peer-0.9.1',
  ),
].find((path) => path !== undefined && existsSync(path))

export const missingPeer =
  'no reference server of Bindle: `bash .ci/run` compiles test/e2e/bindle-peer, or name one in BINDLE_PEER'

/** Milliseconds until a server that does not answer counts as failed. */
const START = 20_000

export interface PeerServer {
  readonly url: string
  stop(): Promise<void>
}

export interface PeerKeys {
  readonly keyring: string
  readonly signingKeys: string
}

/** The reference server on a free port, with a folder of its own that goes with it. */
export async function startPeer(
  peer: string,
  keys: PeerKeys,
  ...flags: string[]
): Promise<PeerServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'spindle-bindle-'))
  const server = spawn(peer, ['server', `127.0.0.1:${port}`, folder, ...flags], {
    env: { ...process.env, BINDLE_KEYRING: keys.keyring, BINDLE_SIGNING_KEYS: keys.signingKeys },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  server.stderr.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')))
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    server.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  const until = Date.now() + START
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined)
    if (answer?.ok === true) return { url: `http://127.0.0.1:${port}/v1`, stop }
    if (server.exitCode !== null || Date.now() > until) {
      await stop()
      throw new Error(`the reference server did not start: ${said}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** One command of the reference client; rejects with what it said when it fails. */
export async function runPeer(
  peer: string,
  env: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<string> {
  const { stdout } = await promisify(execFile)(peer, args, { env: { ...process.env, ...env } })
  return stdout
}
