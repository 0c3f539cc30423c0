// A lock file that a crash left behind, or somebody put there, whatever its time says: it must not
// hold anybody up for longer than a lock may be held, nor be taken from a process that lives.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createFileLockSync } from '../../src/node/files/file-lock.ts'
import { createFileStorage } from '../../src/node/storage/file-storage.ts'
import { createLockWatch, formatOwner, MAX_LOCK_AGE } from '../../src/node/files/lock-rule.ts'

const AN_HOUR = 60 * 60 * 1000

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'spindle-locks-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A lock file whose time is so many milliseconds from now. */
function leave(path: string, owner: string, offset: number): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, owner)
  const time = (Date.now() + offset) / 1000
  utimesSync(path, time, time)
}

/** The id of a process that has ended. */
const endedPid = (): number => spawnSync(process.execPath, ['-e', '0']).pid

/** The owner of a lock of this machine, with another process id. */
const ownerWith = (pid: number | string): string => formatOwner().replace(/^\d+/, String(pid))

/** Both kinds of lock: the path of one, and work that takes it. */
const KINDS = [
  {
    kind: 'a file storage',
    open: (folder: string) => {
      const storage = createFileStorage(folder)
      const name = createHash('sha256').update('key').digest('hex').slice(0, 32)
      return {
        lock: join(folder, '.spindle', 'locks', name),
        work: async () =>
          expect(await storage.put('key', Uint8Array.of(1))).toMatchObject({ stored: true }),
      }
    },
  },
  {
    kind: 'a SQLite file',
    open: (folder: string) => {
      const path = join(folder, 'data.db.lock')
      const lock = createFileLockSync(path, 2 * MAX_LOCK_AGE)
      return {
        lock: path,
        work: async () => {
          expect(lock.acquire()).toBe(true)
          lock.release()
        },
      }
    },
  },
] as const

describe.each(KINDS)('a lock of $kind', ({ open }) => {
  it.each([
    ['in the future', AN_HOUR],
    ['of now', 0],
    ['in the past', -AN_HOUR],
  ])('whose process is gone is taken at once, with a time %s', async (_, offset) => {
    const { lock, work } = open(createFolder())
    leave(lock, ownerWith(endedPid()), offset)
    await work()
    expect(readdirSync(dirname(lock)).filter((name) => name.includes('lock'))).toEqual([])
    expect(existsSync(lock)).toBe(false)
  })

  it('of an earlier version, whose process is gone, is taken at once', async () => {
    const { lock, work } = open(createFolder())
    leave(lock, `${endedPid()} ${hostname()} token`, AN_HOUR)
    await work()
    expect(existsSync(lock)).toBe(false)
  })

  it('whose process id is now another process’s is taken at once', async () => {
    const { lock, work } = open(createFolder())
    const earlier = formatOwner().replace(/\S+$/, '1')
    // Without a /proc it is waited for, as one whose process lives.
    leave(lock, existsSync('/proc/self/stat') ? earlier : ownerWith(endedPid()), AN_HOUR)
    await work()
    expect(existsSync(lock)).toBe(false)
  })
})

describe('the rule for locks', () => {
  /** Asks for each of these times, in milliseconds, whether the lock is stale. */
  function watch(owner: string, offset: number, times: readonly number[]): boolean[] {
    const path = join(createFolder(), 'lock')
    leave(path, owner, offset)
    let now = 5_000_000
    const isStale = createLockWatch(path, () => now)
    return times.map((time) => {
      now = 5_000_000 + time
      return isStale(owner)
    })
  }

  it('leaves a lock to a process that lives', () => {
    expect(watch(formatOwner(), 0, [0, 200, MAX_LOCK_AGE - 1])).toEqual([false, false, false])
  })

  it.each([
    ['of another host', '1 elsewhere.test token'],
    [
      'of another container on this host',
      () => ownerWith(endedPid()).replace(/\S+ \S+$/, 'other/pid:[1] 5'),
    ],
    ['without an owner', ''],
    ['with anything in it', '-1 x\n\0'],
  ])(
    'takes a lock %s when it has been there long enough, with a time in the future too',
    (_, given) => {
      const owner = typeof given === 'string' ? given : given()
      for (const offset of [0, AN_HOUR])
        expect(watch(owner, offset, [0, 200, MAX_LOCK_AGE - 1, MAX_LOCK_AGE])).toEqual([
          false,
          false,
          false,
          true,
        ])
    },
  )

  it('takes one that the file system has had for long soon', () => {
    // A second more: the file system's clock may be a tick behind.
    expect(watch('', -MAX_LOCK_AGE - 1000, [0, 99, 100])).toEqual([false, false, true])
  })

  it('begins anew with each owner', () => {
    const path = join(createFolder(), 'lock')
    leave(path, '', 0)
    let now = 0
    const isStale = createLockWatch(path, () => now)
    expect(isStale('1 elsewhere.test one')).toBe(false)
    now = MAX_LOCK_AGE - 1
    expect(isStale('1 elsewhere.test two')).toBe(false)
    now = MAX_LOCK_AGE
    expect(isStale('1 elsewhere.test two')).toBe(false)
  })

  it('takes the lock of a process that has ended and was not collected by its parent', async () => {
    if (!existsSync('/proc/self/stat')) return
    // The shell's child ends; what the shell has become never asks for it.
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: 'pipe' })
    onTestFinished(() => void parent.kill('SIGKILL'))
    const pid = await new Promise<string>((resolve) =>
      parent.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())),
    )
    const owner = ownerWith(pid)
    await expect.poll(() => watch(owner, AN_HOUR, [0])).toEqual([true])
  })
})
