import type { Run, Session } from './session.ts'

export interface Up {
  readonly url: string
  readonly lines: () => string
  stop(): Promise<Run>
}

/** Starts an application or a server on a free port, and gives its address once it listens. */
export async function start(session: Session, ...args: string[]): Promise<Up> {
  const stop = new AbortController()
  let text = ''
  let listening: (url: string) => void
  const url = new Promise<string>((resolve) => (listening = resolve))
  const how = {
    signal: stop.signal,
    onStdout: (chunk: string) => {
      text += chunk
      const found = /(http:\/\/127\.0\.0\.1:\d+)/.exec(text)
      if (found !== null) listening(found[1] ?? '')
    },
  }
  const flag = args[0]?.includes('serve') === true ? '--address' : '--listen'
  const run = session.runWith(how, ...args, flag, '127.0.0.1:0')
  const ended = run.then((result): never => {
    throw new Error(`it ended with ${result.code}: ${result.stderr}`)
  })
  return {
    url: await Promise.race([url, ended]),
    lines: () => text,
    stop: () => {
      ended.catch(() => {})
      stop.abort()
      return run
    },
  }
}

export const textOf = async (url: string): Promise<string> => (await fetch(url)).text()
