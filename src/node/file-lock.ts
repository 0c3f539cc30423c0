import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SpindleError } from '../errors.ts'

/** Milliseconds after which a lock is taken from its owner: what is done under one takes a few. */
const LOCK_AGE = 10_000
/** The same when its owner runs on this machine and doesn't any more. */
const ORPHAN_AGE = 500
/** Milliseconds to wait for a lock at most; then something is wrong with the folder. */
const LOCK_WAIT = 60_000

/** Callers of this process queue here; the file is only for others. */
const queues = new Map<string, Promise<unknown>>()

/**
 * Runs `work` while no other process that asks for the same lock does.
 *
 * A lock is a file that can be made only once. One that a crash left behind is taken over: at once
 * if its process is gone, else after ten seconds. `stillHeld` is to be asked right before a step
 * that can't be undone; it is false when the owner was stopped for so long that it lost the lock.
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
  const owner = `${process.pid} ${hostname()} ${randomUUID()}`
  await acquire(path, owner)
  const since = Date.now()
  try {
    return await work(() => Date.now() - since < LOCK_AGE / 2)
  } finally {
    // Not if it was taken over meanwhile: then it is somebody else's.
    if ((await read(path)) === owner) await unlink(path).catch(() => {})
  }
}

async function acquire(path: string, owner: string): Promise<void> {
  const until = Date.now() + LOCK_WAIT
  for (let attempt = 0; ; attempt++) {
    if (await create(path, owner)) return
    await takeOver(path)
    if (Date.now() > until) {
      throw new SpindleError(
        'ERR_TIMEOUT',
        `the lock ${path} is held for too long: see which process holds it, then remove the file`,
      )
    }
    await sleep(Math.random() * Math.min(2 ** attempt, 50))
  }
}

async function create(path: string, owner: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    try {
      await file.writeFile(owner)
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

/** Removes a lock whose owner is gone. Of two that try, the one that renamed something fresh puts it back. */
async function takeOver(path: string): Promise<void> {
  const owner = await read(path)
  const age = await ageOf(path)
  if (owner === undefined || age < (isOrphan(owner) ? ORPHAN_AGE : LOCK_AGE)) return
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
    if ((await read(aside)) !== owner) await link(aside, path).catch(() => {})
    await unlink(aside)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

function isOrphan(owner: string): boolean {
  const [pid, host] = owner.split(' ')
  // Empty: its owner has not written yet, or was ended between two calls.
  if (pid === undefined || host !== hostname()) return false
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return codeOf(error) === 'ESRCH'
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function ageOf(path: string): Promise<number> {
  try {
    return Date.now() - (await stat(path)).mtimeMs
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0
    throw error
  }
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
