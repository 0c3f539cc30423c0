import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { SpindleError } from '../errors.ts'
import { isMissing } from './bounded-file.ts'
import { codeOf } from './file-lock.ts'

/** Milliseconds after which a lock was left behind by a crash: what is done under one takes a few. */
const LOCK_AGE = 5_000
/** Milliseconds to wait for a lock at most. */
const LOCK_WAIT = 15_000
/** Milliseconds between two tries. */
const PAUSE = 2

const clock = new Int32Array(new SharedArrayBuffer(4))

/** As `withFileLock`, at once, for guests that don't wait: the thread stands still meanwhile. */
export function withFileLockSync<T>(path: string, work: () => T): T {
  const until = Date.now() + LOCK_WAIT
  while (!create(path)) {
    if (ageOf(path) > LOCK_AGE) rmSync(path, { force: true })
    else if (Date.now() > until)
      throw new SpindleError('ERR_TIMEOUT', `the lock ${path} is held for too long`)
    else Atomics.wait(clock, 0, 0, PAUSE)
  }
  try {
    return work()
  } finally {
    rmSync(path, { force: true })
  }
}

function create(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600))
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function ageOf(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs
  } catch (error) {
    if (isMissing(error)) return 0
    throw error
  }
}
