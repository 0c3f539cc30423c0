import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'

export interface Up {
  /** `undefined` where it ended before it listened. */
  readonly url: string | undefined
  readonly output: () => string
  readonly stop: () => Promise<void>
}

/** Runs the built command in the folder of an application, until it listens or ends. */
export async function startUp(
  program: string,
  app: string,
  args: readonly string[] = [],
): Promise<Up> {
  const child = spawn(process.execPath, [program, 'up', '--listen', '127.0.0.1:0', ...args], {
    cwd: app,
    env: { PATH: process.env['PATH'], HOME: app },
  })
  let output = ''
  let listening: (url: string | undefined) => void
  const url = new Promise<string | undefined>((resolve) => (listening = resolve))
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      const found = /^Serving (https?:\S+)$/m.exec(output)
      if (found !== null) listening(found[1])
    })
  const ended = once(child, 'close').then(() => listening(undefined))
  return {
    url: await url,
    output: () => output,
    stop: async () => {
      child.kill('SIGINT')
      await ended
    },
  }
}
