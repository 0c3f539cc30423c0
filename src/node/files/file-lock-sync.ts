import { randomUUID } from 'node:crypto'
import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { createLockWatch, formatOwner } from './lock-rule.ts'
import { codeOf } from './system-error.ts'

/** Milliseconds between two tries. */
const PAUSE = 2

const clock = new Int32Array(new SharedArrayBuffer(4))

/** A lock file for work that can't wait for Promises: waiting for it blocks the thread. */
export interface FileLockSync {
  /** False when somebody else has it, after a wait. The folder must exist. */
  acquire(): boolean
  /** Whether it is still ours: one that is too old is taken over, see `createLockWatch`. */
  isHeld(): boolean
  release(): void
  /** It is not used any more. */
  close?(): void
}

/** @param wait Milliseconds to wait for another owner. */
export function createFileLockSync(path: string, wait: number): FileLockSync {
  const owner = formatOwner()
  const isHeld = (): boolean => read(path) === owner
  return {
    acquire() {
      const until = performance.now() + wait
      const isStale = createLockWatch(path)
      while (!create(path, owner)) {
        const other = read(path)
        if (other !== undefined && isStale(other)) takeOver(path, other)
        else if (performance.now() > until) return false
        else Atomics.wait(clock, 0, 0, PAUSE)
      }
      return true
    },
    isHeld,
    release() {
      // Not if it was taken over meanwhile: then it is somebody else's.
      if (isHeld()) rmSync(path, { force: true })
    },
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
