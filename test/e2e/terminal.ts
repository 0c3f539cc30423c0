import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** What a command printed, both streams as a terminal shows them, and its exit code once it ended. */
export interface Printed {
  readonly text: string
  readonly code?: number
}

/** A real bash that commands are typed into, one after the other. */
export interface Terminal {
  /** Ends when the command does, or as soon as `until` likes what it has printed. */
  type(command: string, until?: (text: string) => boolean): Promise<Printed>
  /** What the command that was left running printed till its end, after Ctrl-C. */
  interrupt(): Promise<Printed>
  close(): Promise<void>
}

/** Longest that one command may take: a machine that is busy is slow, what hangs still ends. */
const PATIENCE_MS = 30_000

export function openTerminal(cwd: string, env: Readonly<Record<string, string>>): Terminal {
  const bash = spawn('bash', ['--noprofile', '--norc'], {
    cwd,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
    // A group of its own, as a terminal gives it, so that Ctrl-C reaches what runs in it.
    detached: true,
  })
  const ended = once(bash, 'close')
  let text = ''
  let onText = () => {}
  bash.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    onText()
  })
  let typed = 0
  bash.stdin.write('exec 2>&1\n')

  const wait = (until: (text: string) => boolean): Promise<Printed> =>
    new Promise((resolve, reject) => {
      const end = new RegExp(`\\nended-${typed} (\\d+)\\n$`)
      const timer = setTimeout(
        () => reject(new Error(`nothing more than this in ${PATIENCE_MS} ms:\n${text}`)),
        PATIENCE_MS,
      )
      onText = () => {
        const code = end.exec(text)?.[1]
        if (code === undefined && !until(text)) return
        clearTimeout(timer)
        resolve(code === undefined ? { text } : { text: text.replace(end, ''), code: Number(code) })
      }
      onText()
    })

  return {
    type(command, until = () => false) {
      typed++
      text = ''
      bash.stdin.write(`${command}\nprintf '\\nended-${typed} %d\\n' $?\n`)
      return wait(until)
    },
    interrupt() {
      process.kill(-bash.pid!, 'SIGINT')
      return wait(() => false)
    },
    async close() {
      bash.stdin.end()
      try {
        process.kill(-bash.pid!, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
      await ended
    },
  }
}
