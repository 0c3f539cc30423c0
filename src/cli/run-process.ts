import process from 'node:process'
import { readEnvironment } from '../node/files/environment.ts'
import { createNodeFetch } from '../node/fetch/fetch.ts'
import { readProxyEnvironment } from '../node/fetch/proxy.ts'
import { Interrupted } from './terminal/io.ts'
import { runCli } from './program.ts'

/** Runs a command line with the streams, signals and exit code of this process. */
export async function runProcess(args: readonly string[]): Promise<void> {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const reason = new Interrupted(signal)
      // A second signal exits at once.
      if (stop.signal.aborted) process.exit(reason.exitCode)
      stop.abort(reason)
    })
  }
  // For example `spindle registry tags … | head -1`: the reader has closed the pipe.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })

  process.exitCode = await runCli(args, {
    ...readEnvironment(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    cwd: process.cwd(),
    signal: stop.signal,
    fetch: createNodeFetch({ proxy: readProxyEnvironment() }),
    worker: new URL('./app-worker.js', import.meta.url),
  })
}
