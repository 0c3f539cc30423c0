import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { link, mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { SpindleError } from '../../errors.ts'
import { createLockWatch, formatOwner, LOCK_AGE } from './lock-rule.ts'
import { codeOf } from './system-error.ts'
import { withDescriptor } from './descriptors.ts'

/** Milliseconds to wait for a lock at most; then something is wrong with the folder. */
const LOCK_WAIT = 60_000

/** Callers of this process queue here; the file is only for others. */
const queues = new Map<string, Promise<unknown>>()

/**
 * Runs `work` while no other process that asks for the same lock does.
 *
 * A lock is a file that can be created only once. One that a crash left behind is taken over: see
 * `createLockWatch`. `stillHeld` is to be asked right before a step that can't be undone; it is false
 * when the owner was stopped for so long that it lost the lock, or may lose it.
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
  const owner = formatOwner()
  await acquire(path, owner)
  // By both clocks: only the date goes on while a machine sleeps, and it may be set back.
  const [since, date] = [performance.now(), Date.now()]
  const isFresh = (): boolean =>
    performance.now() - since < LOCK_AGE / 2 && Date.now() - date < LOCK_AGE / 2
  try {
    return await work(() => isFresh() && readNow(path) === owner)
  } finally {
    // Not if it was taken over meanwhile: then it is somebody else's.
    if ((await read(path)) === owner) await unlink(path).catch(() => {})
  }
}

async function acquire(path: string, owner: string): Promise<void> {
  const until = performance.now() + LOCK_WAIT
  const isStale = createLockWatch(path)
  for (let attempt = 0; ; attempt++) {
    if (await create(path, owner)) return
    const other = await read(path)
    if (other !== undefined && isStale(other)) await takeOver(path, other)
    if (performance.now() > until) throw heldTooLong(path)
    await sleep(Math.random() * Math.min(2 ** attempt, 50))
  }
}

async function create(path: string, owner: string): Promise<boolean> {
  try {
    const file = await withDescriptor(() => open(path, 'wx'))
    try {
      await file.writeFile(owner)
    } catch (error) {
      await unlink(path)
      throw error
    } finally {
      await file.close()
    }
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    if (codeOf(error) !== 'ENOENT') throw error
    await mkdir(dirname(path), { recursive: true })
    return false
  }
}

/** Removes a lock. Of two that try, the one that renamed something fresh puts it back. */
async function takeOver(path: string, owner: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
    if ((await read(aside)) !== owner) await link(aside, path).catch(() => {})
    await unlink(aside)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await withDescriptor(() => readFile(path, 'utf8'))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** At once: nothing may come between a look at the lock and the step that it is for. */
function readNow(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function heldTooLong(path: string): SpindleError {
  return new SpindleError(
    'ERR_TIMEOUT',
    `the lock ${path} is held for too long: see which process holds it, then remove the file`,
  )
}
