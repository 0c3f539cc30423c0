import { createWriteStream, type WriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogLine } from '../../run/logs.ts'
import type { CliIo } from './io.ts'
import { paintFor, printableLine } from './text.ts'

interface ComponentLogs {
  readonly onLog: (line: LogLine) => void
  close(): Promise<void>
}

/**
 * Shows what components print on stderr, each line after its component's name, and keeps it in
 * `ID_stdout.txt` and `ID_stderr.txt` below a folder, as Spin does. What went wrong around a component
 * is shown even when they are silenced.
 */
export async function createComponentLogs(
  io: CliIo,
  options: { readonly quiet: boolean; readonly folder: string | undefined },
): Promise<ComponentLogs> {
  const { quiet, folder } = options
  const paint = paintFor(io.stderr, io.env)
  const files = new Map<string, WriteStream>()
  if (folder !== undefined) await mkdir(folder, { recursive: true })
  const keep = (name: string, text: string): void => {
    let file = files.get(name)
    if (file === undefined) {
      file = createWriteStream(join(folder ?? '', name), { flags: 'a' })
      file.on('error', (error) =>
        io.stderr.write(`${paint('yellow', 'warning:')} ${printableLine(error.message)}\n`),
      )
      files.set(name, file)
    }
    file.write(`${text}\n`)
  }
  return {
    onLog({ component, stream, text }) {
      if (stream === 'host') {
        const who = component === '' ? '' : `${component}: `
        io.stderr.write(`${paint('yellow', 'warning:')} ${printableLine(who + text)}\n`)
        return
      }
      // An id from a registry may be anything; in a file's name only what is one everywhere.
      if (folder !== undefined)
        keep(`${component.replace(/[^A-Za-z0-9_-]/g, '_')}_${stream}.txt`, text)
      if (!quiet)
        io.stderr.write(`${paint('dim', `${printableLine(component)}:`)} ${printableLine(text)}\n`)
    },
    close: async () => {
      await Promise.all(
        [...files.values()].map((file) => new Promise<void>((done) => file.end(() => done()))),
      )
    },
  }
}
