import { createWriteStream, type WriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogLine } from '../../run/logs.ts'
import type { CliIo, TextOutput } from './io.ts'
import { paintFor, printableLine } from './text.ts'

interface ComponentLogs {
  readonly onLog: (line: LogLine) => void | Promise<void>
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
  const keep = (name: string, text: string): void | Promise<void> => {
    let file = files.get(name)
    if (file === undefined) {
      file = createWriteStream(join(folder ?? '', name), { flags: 'a' })
      file.on('error', (error) =>
        io.stderr.write(`${paint('yellow', 'warning:')} ${printableLine(error.message)}\n`),
      )
      files.set(name, file)
    }
    return written(file, `${text}\n`)
  }
  return {
    onLog({ component, stream, text }) {
      if (stream === 'host') {
        const who = component === '' ? '' : `${component}: `
        return written(io.stderr, `${paint('yellow', 'warning:')} ${printableLine(who + text)}\n`)
      }
      // An id from a registry may be anything; in a file's name only what is one everywhere.
      const kept =
        folder === undefined
          ? undefined
          : keep(`${component.replace(/[^A-Za-z0-9_-]/g, '_')}_${stream}.txt`, text)
      const shown = quiet
        ? undefined
        : written(
            io.stderr,
            `${paint('dim', `${printableLine(component)}:`)} ${printableLine(text)}\n`,
          )
      return kept === undefined ? shown : Promise.all([kept, shown]).then(() => {})
    },
    close: async () => {
      await Promise.all(
        [...files.values()].map((file) => new Promise<void>((done) => file.end(() => done()))),
      )
    },
  }
}

/** Streams that are full, and when they no longer are: one listener for all that wait. */
const full = new WeakMap<NodeJS.WritableStream, Promise<void>>()

/** Writes; gives a Promise when the stream has more than it wants, which resolves once it has written that. */
function written(
  stream: NodeJS.WritableStream & TextOutput,
  text: string,
): Promise<void> | undefined {
  if (stream.write(text) !== false) return undefined
  let drained = full.get(stream)
  if (drained === undefined) {
    drained = new Promise<void>((resolve) => {
      const done = (): void => {
        full.delete(stream)
        resolve()
      }
      // One that fails takes nothing any more.
      for (const event of ['drain', 'close', 'error']) stream.once(event, done)
    })
    full.set(stream, drained)
  }
  return drained
}
