import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { freePort } from './free-port.ts'

const BINARY = [
  process.env['SPINDLE_MOTO'],
  fileURLToPath(new URL('../../.cache/moto/bin/python', import.meta.url)),
].find((path) => path !== undefined && existsSync(path))

/** Why the tests against an S3 server are left out; `undefined` when they run. */
export const missingS3: string | undefined =
  BINARY === undefined
    ? "no S3 server found; python3 -m venv .cache/moto && .cache/moto/bin/pip install 'moto[server,s3]==5.2.5', or name the Python that has it in SPINDLE_MOTO"
    : undefined

/**
 * One request after the other: this server looks at a condition and writes in two steps, between
 * which its threads would let others in. S3 itself lets nobody in. A thread for each connection all
 * the same: clients open some that they use later, and one thread would wait for those.
 */
const SCRIPT = `
import sys, threading
from werkzeug.serving import run_simple
from moto.moto_server.werkzeug_app import create_backend_app
moto, turn = create_backend_app('s3'), threading.Lock()
def one_by_one(environ, start_response):
    with turn:
        return moto(environ, start_response)
run_simple('127.0.0.1', int(sys.argv[1]), one_by_one, threaded=True)
`

export interface S3Process {
  readonly endpoint: string
  readonly bucket: string
  stop(): Promise<void>
}

/** Starts an S3 server on a free loopback port, in memory, with one empty bucket. */
export async function startS3(): Promise<S3Process> {
  const port = await freePort()
  const child = spawn(BINARY!, ['-c', SCRIPT, String(port)], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const endpoint = `http://127.0.0.1:${port}`
  for (let tries = 0; !(await makeBucket(`${endpoint}/bucket`)); tries++) {
    if (tries >= 200 || child.exitCode !== null) {
      child.kill('SIGKILL')
      throw new Error('the S3 server did not start')
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return {
    endpoint,
    bucket: 'bucket',
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function makeBucket(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { method: 'PUT' })).ok
  } catch {
    return false
  }
}
