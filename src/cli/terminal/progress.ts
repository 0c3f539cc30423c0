import type { TransferEvent } from '../../types.ts'
import { type CliIo, isTerminal } from './io.ts'
import { formatCount, formatSize, paintFor, widthOf } from './text.ts'

/** Milliseconds between two frames on a terminal; shorter intervals flicker. */
const FRAME = 80
/** Milliseconds between two lines in a log. */
const LOG_EVERY = 5000
/** Maximum and minimum columns of a bar. */
const WIDTH = 28
const MIN_WIDTH = 6

/** Totals of a transfer. */
interface TransferSummary {
  readonly blobs: number
  /** Blobs that went over the wire, and their bytes. */
  readonly sent: number
  readonly sentBytes: number
  /** Blobs mounted from another repository of the registry. */
  readonly mounted: number
}

interface Progress {
  readonly onProgress: (event: TransferEvent) => void
  /** Removes the bar. */
  end(): TransferSummary
}

/**
 * Shows the progress of `work` on stderr: a bar on a terminal, a line from time to time
 * elsewhere.
 */
export async function withProgress<T>(
  io: CliIo,
  word: string,
  work: (onProgress: (event: TransferEvent) => void) => Promise<T>,
): Promise<{ readonly result: T; readonly summary: TransferSummary }> {
  const progress = await createProgress(io, word)
  let summary: TransferSummary | undefined
  try {
    const result = await work(progress.onProgress)
    summary = progress.end()
    return { result, summary }
  } finally {
    if (summary === undefined) progress.end()
  }
}

/** Describes how many blobs were sent, mounted and skipped. */
export function describeTransfer({ blobs, sent, sentBytes, mounted }: TransferSummary): string {
  const skipped = blobs - sent - mounted
  const others = [
    ...(mounted > 0 ? [`, ${mounted} mounted`] : []),
    ...(skipped > 0 ? [`, ${skipped} already there`] : []),
  ]
  return `${formatCount(sent, 'blob')} (${formatSize(sentBytes)}) sent${others.join('')}`
}

async function createProgress(io: CliIo, word: string): Promise<Progress> {
  const draw = isTerminal(io.stderr, io.env) ? await createBar(io) : createLog(io)
  const blobs = new Map<string, { loaded: number; size: number; status: string }>()
  let planned = { blobs: 0, bytes: 0 }
  let last = Date.now()

  const picture = (): Picture => {
    let done = 0
    let loaded = 0
    for (const blob of blobs.values()) {
      const isDone = isFinal(blob.status)
      if (isDone) done++
      loaded += isDone ? blob.size : Math.min(blob.loaded, blob.size)
    }
    const total = Math.max(planned.bytes, loaded)
    return { word, done, blobs: Math.max(planned.blobs, blobs.size), loaded, total }
  }

  return {
    onProgress: (event) => {
      if (event.type === 'plan') {
        planned = event
        draw.plan(picture())
      } else if (event.type === 'blob') {
        const { digest, size } = event.descriptor
        blobs.set(digest, { loaded: event.loaded, size, status: event.status })
        const now = Date.now()
        if (now - last < draw.every) return
        last = now
        draw.show(picture())
      }
    },
    end: () => {
      draw.end()
      const ended = (status: string) => [...blobs.values()].filter((blob) => blob.status === status)
      const sent = ended('done')
      return {
        blobs: Math.max(planned.blobs, blobs.size),
        sent: sent.length,
        sentBytes: sent.reduce((sum, blob) => sum + blob.size, 0),
        mounted: ended('mounted').length,
      }
    },
  }
}

function isFinal(status: string): boolean {
  return status === 'done' || status === 'exists' || status === 'mounted'
}

interface Picture {
  readonly word: string
  readonly done: number
  readonly blobs: number
  readonly loaded: number
  readonly total: number
}

interface Drawing {
  readonly every: number
  plan(picture: Picture): void
  show(picture: Picture): void
  end(): void
}

async function createBar(io: CliIo): Promise<Drawing> {
  const { createLogUpdate } = await import('log-update')
  const log = createLogUpdate(io.stderr as unknown as NodeJS.WriteStream)
  const paint = paintFor(io.stderr, io.env)
  const show = (picture: Picture): void => {
    const part = picture.total === 0 ? 0 : picture.loaded / picture.total
    // Keep everything on one line: wrapping would separate numbers from units.
    const room = widthOf(io.stderr) - picture.word.length - 1
    const percent = `${String(Math.floor(part * 100)).padStart(3)} %`
    const all = `${percent}  ${describe(picture)}`
    const words = all.length <= room ? all : `${percent}  ${describeBlobs(picture)}`
    const width = Math.min(WIDTH, room - words.length - 1)
    const filled = Math.floor(part * width)
    const bar =
      width < MIN_WIDTH
        ? ''
        : `${paint('cyan', '━'.repeat(filled))}${paint('dim', '─'.repeat(width - filled))} `
    log(`${picture.word} ${bar}${words}`)
  }
  return {
    every: FRAME,
    plan: show,
    show,
    end: () => {
      log.clear()
      log.done()
    },
  }
}

function createLog(io: CliIo): Drawing {
  return {
    every: LOG_EVERY,
    plan: () => {},
    show: (picture) => void io.stderr.write(`${picture.word}: ${describe(picture)}\n`),
    end: () => {},
  }
}

function describe(picture: Picture): string {
  const { loaded, total } = picture
  return `${describeBlobs(picture)}, ${formatSize(loaded)} of ${formatSize(total)}`
}

function describeBlobs({ done, blobs }: Picture): string {
  return `${done} of ${formatCount(blobs, 'blob')}`
}
