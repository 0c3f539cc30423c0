import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { codeOf, isMissing } from './system-error.ts'

/** Milliseconds after which a lock is taken from its owner: what is done under one takes a few. */
export const MAX_LOCK_AGE = 10_000
/** Milliseconds that a lock is watched before its age is looked up: most are gone by then. */
const PATIENCE = 100

/**
 * The content of a lock file: process id, host, a token of this lock alone, and, where the system
 * has a `/proc`, what the process id is relative to and when the process started.
 */
export function formatOwner(): string {
  return [process.pid, hostname(), randomUUID(), MACHINE, startOf('self')].join(' ')
}

/**
 * Whether the owner of a lock is a process of this machine that has ended. Nothing is known of
 * another host's, nor of another container's, whose process ids are others.
 */
function isOwnerGone(owner: string): boolean {
  const [pid, host, , machine, start] = owner.split(' ')
  // Empty: its owner has not written yet, or was ended between two calls.
  if (pid === undefined || !/^\d+$/.test(pid) || host !== hostname()) return false
  // A lock of an earlier version has no machine.
  if (machine !== undefined && machine !== MACHINE) return false
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    return codeOf(error) === 'ESRCH'
  }
  // Alive, but maybe as another process: ids are used again.
  const now = startOf(pid)
  return start !== undefined && start !== UNKNOWN && now !== UNKNOWN && now !== start
}

const UNKNOWN = '-'

/** The boot and the process id namespace, where Linux tells them. */
const MACHINE: string = machineOf()

function machineOf(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}/${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return UNKNOWN
  }
}

/** When a process started, in clock ticks since boot; `ended` when it only waits to be collected. */
function startOf(pid: string): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is a name in parentheses, which may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : (fields[19] ?? UNKNOWN)
  } catch {
    return UNKNOWN
  }
}

/**
 * Watches one lock file that others hold, and says when it may be taken over: at once if its owner is
 * known to be gone, else once it has been there for {@link MAX_LOCK_AGE}. That is measured by this
 * process's own clock, or by the clock of the file system, which also made the file's time: neither a
 * clock that is wrong nor a time in the future keeps a lock alive, or ends one early.
 */
export function createLockWatch(
  path: string,
  now: () => number = () => performance.now(),
): (owner: string) => boolean {
  let seen: string | undefined
  let since = 0
  let isAgeKnown = false
  return (owner) => {
    if (owner !== seen) {
      seen = owner
      since = now()
      isAgeKnown = false
    }
    if (isOwnerGone(owner)) return true
    const watched = now() - since
    if (watched >= PATIENCE && !isAgeKnown) {
      isAgeKnown = true
      if (ageOnDisk(path) >= MAX_LOCK_AGE) return true
    }
    return watched >= MAX_LOCK_AGE
  }
}

/** Milliseconds since a file was written; 0 when it is gone. */
function ageOnDisk(path: string): number {
  const probe = `${path}.${randomUUID()}`
  try {
    writeFileSync(probe, '', { flag: 'wx' })
    return statSync(probe).mtimeMs - statSync(path).mtimeMs
  } catch (error) {
    if (isMissing(error)) return 0
    throw error
  } finally {
    rmSync(probe, { force: true })
  }
}
