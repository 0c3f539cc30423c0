import { randomUUID } from 'node:crypto'
import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { SpindleError } from '../../errors.ts'
import { withDescriptor } from './descriptors.ts'
import { createLockWatch, formatOwner, MAX_LOCK_AGE } from './lock-rule.ts'
import { codeOf } from './system-error.ts'

/** Milliseconds to wait for a lock at most; then something is wrong with the folder. */
const MAX_WAIT = 60_000
/** Milliseconds between two attempts of a thread that blocks. */
const PAUSE = 2

/** A lock for work that can't wait for promises: waiting for it blocks the thread. */
export interface FileLockSync {
  /** False when another owner still has it after the wait. The folder must exist. */
  acquire(): boolean
  /** Whether it is still ours: one that is too old is taken over, see `createLockWatch`. */
  isHeld(): boolean
  release(): void
  /** Frees what the lock keeps open. */
  close?(): void
}

/** @param wait Milliseconds to wait for another owner. */
export function createFileLockSync(path: string, wait: number): FileLockSync {
  let file: LockFile | undefined
  const clock = new Int32Array(new SharedArrayBuffer(4))
  return {
    acquire() {
      file = createLockFile(path)
      const until = performance.now() + wait
      while (!file.tryAcquire()) {
        if (performance.now() > until) return false
        Atomics.wait(clock, 0, 0, PAUSE)
      }
      return true
    },
    isHeld: () => file?.isHeld() === true,
    release: () => file?.release(),
  }
}

/** Callers of this process queue here; the file is only for other processes. */
const queues = new Map<string, Promise<unknown>>()

/**
 * Runs `work` while no other process that asks for the same lock does. Creates the folder.
 *
 * Ask `stillHeld` right before a step that can't be undone: it is false when the owner was stopped for
 * so long that it lost the lock, or may lose it.
 */
export async function withFileLock<T>(
  path: string,
  work: (stillHeld: () => boolean) => Promise<T>,
): Promise<T> {
  const before = queues.get(path) ?? Promise.resolve()
  const mine = before.then(() => runLocked(path, work))
  const settled = mine.catch(() => {})
  queues.set(path, settled)
  try {
    return await mine
  } finally {
    if (queues.get(path) === settled) queues.delete(path)
  }
}

async function runLocked<T>(
  path: string,
  work: (stillHeld: () => boolean) => Promise<T>,
): Promise<T> {
  const file = createLockFile(path)
  const until = performance.now() + MAX_WAIT
  for (let attempt = 0; !(await tryAcquire(path, file)); attempt++) {
    if (performance.now() > until) throw heldTooLong(path)
    await sleep(Math.random() * Math.min(2 ** attempt, 50))
  }
  // By both clocks: only the date goes on while a machine sleeps, and it may be set back.
  const [since, date] = [performance.now(), Date.now()]
  const isFresh = (): boolean =>
    performance.now() - since < MAX_LOCK_AGE / 2 && Date.now() - date < MAX_LOCK_AGE / 2
  try {
    return await work(() => isFresh() && isSurelyHeld(file))
  } finally {
    await withDescriptor(async () => file.release())
  }
}

async function tryAcquire(path: string, file: LockFile): Promise<boolean> {
  try {
    return await withDescriptor(async () => file.tryAcquire())
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    await mkdir(dirname(path), { recursive: true })
    return false
  }
}

function isSurelyHeld(file: LockFile): boolean {
  try {
    return file.isHeld()
  } catch {
    return false
  }
}

/** A lock is a file that can be created only once; its content names the owner. */
interface LockFile {
  /** Creates the file, in place of one whose owner has lost it: see `createLockWatch`. */
  readonly tryAcquire: () => boolean
  readonly isHeld: () => boolean
  /** Removes the file, unless it was taken over meanwhile. */
  readonly release: () => void
}

/** For one caller and one time: an owner that takes the lock again is another owner. */
function createLockFile(path: string): LockFile {
  const owner = formatOwner()
  const isStale = createLockWatch(path)
  const isHeld = (): boolean => read(path) === owner
  return {
    tryAcquire() {
      if (create(path, owner)) return true
      const other = read(path)
      if (other === undefined || !isStale(other)) return false
      removeStale(path, other)
      return create(path, owner)
    },
    isHeld,
    release() {
      if (!isHeld()) return
      try {
        rmSync(path, { force: true })
      } catch {
        // The work is done: others take the lock over when it is too old.
      }
    },
  }
}

function create(path: string, owner: string): boolean {
  let file: number
  try {
    file = openSync(path, 'wx')
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

/** Removes another owner's lock. Of two that try, the one that renamed a fresh lock puts it back. */
function removeStale(path: string, owner: string): void {
  const aside = `${path}.${randomUUID()}`
  try {
    renameSync(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  let isFresh = true
  try {
    isFresh = read(aside) !== owner
  } finally {
    // Also where it can't be read. Another process may have created one meanwhile.
    if (isFresh) restore(aside, path)
    rmSync(aside, { force: true })
  }
}

function restore(aside: string, path: string): void {
  try {
    linkSync(aside, path)
  } catch {
    // Its owner finds that it has lost the lock.
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

function heldTooLong(path: string): SpindleError {
  return new SpindleError(
    'ERR_TIMEOUT',
    `the lock ${path} is held for too long: see which process holds it, then remove the file`,
  )
}
