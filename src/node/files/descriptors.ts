import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { SpindleError } from '../../errors.ts'
import { codeOf } from './system-error.ts'

/** Milliseconds to wait for others to close theirs; then something keeps them. */
const MAX_WAIT = 30_000
/** Milliseconds between two tries at most. */
const MAX_PAUSE = 100

/**
 * Opens a file, folder or connection, and waits while the process or system has no file descriptor
 * left: others close theirs in a moment. `open` must have no effect when it fails.
 * @throws `ERR_LIMIT_EXCEEDED` when none gets free in half a minute.
 */
export async function withDescriptor<T>(open: () => Promise<T>): Promise<T> {
  const until = performance.now() + MAX_WAIT
  for (let attempt = 0; ; attempt++) {
    try {
      return await open()
    } catch (cause) {
      if (!isOutOfDescriptors(cause)) throw cause
      if (performance.now() > until)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          'too many files and connections are open: raise "ulimit -n", or do less at once',
          { cause, remedy: { option: 'concurrency', advice: 'lower %' } },
        )
      await sleep(Math.random() * Math.min(2 ** attempt, MAX_PAUSE))
    }
  }
}

/** Whether a system error, or what caused it, says that no more files may be open. */
export function isOutOfDescriptors(error: unknown): boolean {
  const code = codeOf(error)
  if (code === 'EMFILE' || code === 'ENFILE') return true
  return error instanceof Error && error.cause !== undefined && isOutOfDescriptors(error.cause)
}

let limit: number | undefined

/** How many files and connections this process may have open; `Infinity` where only the system knows. */
export function openFileLimit(): number {
  return (limit ??= readLimit())
}

function readLimit(): number {
  try {
    const text = readFileSync('/proc/self/limits', 'utf8')
    return Number(/^Max open files\s+(\d+)/m.exec(text)?.[1] ?? Infinity)
  } catch {
    // Only Linux tells.
    return Infinity
  }
}
