import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogLine } from '../../run/host/logs.ts'
import { isMissing } from '../../node/files/system-error.ts'
import { type CliIo, CommandError, hasColor, type TextOutput } from '../terminal/io.ts'
import { colouredLine, paintFor, printableLine, withoutColours } from '../terminal/text.ts'

/** Bytes of a component's id in a file's name, of which systems allow 255. */
const MAX_NAME = 240

export interface ComponentLogs {
  readonly onLog: (line: LogLine) => void | Promise<void>
  close(): Promise<void>
}

export interface LogFolder {
  readonly path: string
  /** If true, the folder is created at once, and a failure is an error. Otherwise it is created with the first line, and a failure is a warning. */
  readonly isGiven: boolean
}

interface LogOptions {
  /** Components whose lines are shown. Default: all. */
  readonly follow: readonly string[] | undefined
  readonly folder: LogFolder | undefined
  /** Whether files of earlier runs are emptied first. */
  readonly truncate: boolean
}

/**
 * Shows what components print on stderr, each line after its component's name and with its colours
 * where the terminal has some, and keeps it in `ID_stdout.txt` and `ID_stderr.txt` below a folder, as
 * Spin does. What went wrong around a component is shown even when they are silenced.
 */
export async function createComponentLogs(
  io: CliIo,
  { follow, folder, truncate }: LogOptions,
): Promise<ComponentLogs> {
  const paint = paintFor(io.stderr, io.env)
  const line = hasColor(io.stderr, io.env)
    ? colouredLine
    : (text: string) => printableLine(withoutColours(text))
  const files = new Map<string, WriteStream>()
  if (folder?.isGiven === true) await makeFolder(folder.path)
  if (folder !== undefined && truncate) await emptyFiles(folder.path)
  const keep = ({ path }: LogFolder, name: string, text: string): void | Promise<void> => {
    let file = files.get(name)
    if (file === undefined) {
      try {
        mkdirSync(path, { recursive: true })
      } catch {
        // Opening the file reports the error.
      }
      file = createWriteStream(join(path, name), { flags: 'a' })
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
      const kept =
        folder === undefined
          ? undefined
          : keep(folder, `${fileName(component)}_${stream}.txt`, text)
      const shown =
        follow === undefined || follow.includes(component)
          ? written(io.stderr, `${paint('dim', `${printableLine(component)}:`)} ${line(text)}\n`)
          : undefined
      return kept === undefined ? shown : Promise.all([kept, shown]).then(() => {})
    },
    close: async () => {
      await Promise.all(
        [...files.values()].map((file) => new Promise<void>((done) => file.end(() => done()))),
      )
    },
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
  } catch (cause) {
    throw new CommandError(`cannot write component logs to ${folder}`, {
      cause,
      hint: 'name another folder with --log-dir, or "" for none',
    })
  }
}

async function emptyFiles(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
  for (const name of names)
    if (/std(?:out|err)\.txt$/.test(name)) await writeFile(join(folder, name), '')
}

/** The file name that Spin uses for a component id: without characters that some systems refuse. */
function fileName(id: string): string {
  const name = id
    .replace(/[/?<>\\:*|"\p{Cc}]/gu, '')
    .replace(/^\.+$/, '')
    .replace(/^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?$/i, '')
    .replace(/[. ]+$/, '')

  return Buffer.from(name)
    .subarray(0, MAX_NAME)
    .toString()
    .replace(/\ufffd+$/, '')
}

/** Full streams, and a promise for when they have drained: one listener for all writers. */
const full = new WeakMap<NodeJS.WritableStream, Promise<void>>()

/** Writes to a stream; returns a promise if its buffer is full, which resolves when it has drained. */
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
      // A failed stream accepts no more data.
      for (const event of ['drain', 'close', 'error']) stream.once(event, done)
    })
    full.set(stream, drained)
  }
  return drained
}
