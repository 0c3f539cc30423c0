import { randomUUID } from 'node:crypto'
import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { heldTooLong } from './file-lock.ts'
import { createLockWatch, formatOwner } from './lock-rule.ts'
import { codeOf } from './system-error.ts'

/** Milliseconds to wait for a lock at most: longer than one that a crash left is waited for. */
const LOCK_WAIT = 15_000
/** Milliseconds between two tries. */
const PAUSE = 2

const clock = new Int32Array(new SharedArrayBuffer(4))

/** Like `withFileLock`, for guests that do not wait: it blocks the thread. The folder must exist. */
export function withFileLockSync<T>(path: string, work: () => T): T {
  const owner = formatOwner()
  acquire(path, owner)
  try {
    return work()
  } finally {
    // Not if it was taken over meanwhile: then it is somebody else's.
    if (read(path) === owner) rmSync(path, { force: true })
  }
}

function acquire(path: string, owner: string): void {
  const until = performance.now() + LOCK_WAIT
  const isStale = createLockWatch(path)
  while (!create(path, owner)) {
    const other = read(path)
    if (other !== undefined && isStale(other)) takeOver(path, other)
    else if (performance.now() > until) throw heldTooLong(path)
    else Atomics.wait(clock, 0, 0, PAUSE)
  }
}

function create(path: string, owner: string): boolean {
  let file: number
  try {
    file = openSync(path, 'wx', 0o600)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
  try {
    writeSync(file, owner)
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
  return true
}

/** Removes a lock. Of two that try, the one that renamed something fresh puts it back. */
function takeOver(path: string, owner: string): void {
  const aside = `${path}.${randomUUID()}`
  try {
    renameSync(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  try {
    if (read(aside) !== owner) linkSync(aside, path)
  } catch (error) {
    // Somebody has made one meanwhile.
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    rmSync(aside, { force: true })
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
