import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { SpindleError } from '../../errors.ts'
import { createFairQueue } from './fair-queue.ts'

/** Maximum passwords that wait for comparison. At the usual cost each takes a tenth of a second. */
export const MAX_PENDING_PASSWORDS = 64

/**
 * The code of the thread: a constant, so that builds need no extra file. All
 * hashes are computed, so that the time does not reveal which one matches.
 */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
const { compareSync } = require(workerData)
parentPort.on('message', ({ password, hashes }) => {
  const matches = hashes.map((hash) => compareSync(password, hash))
  parentPort.postMessage(matches.includes(true))
})`

interface Guess {
  readonly password: string
  readonly hashes: readonly string[]
  readonly resolve: (matches: boolean) => void
  readonly reject: (error: unknown) => void
}

/** Whether a password has one of these hashes. Takes as long whichever it is, or none. */
type ComparePassword = (
  password: string,
  hashes: readonly string[],
  /** The client: clients take turns. */
  client: string,
) => Promise<boolean>

/**
 * Compares passwords with bcrypt hashes in a thread of its own, one after the other: the caller's
 * thread is not blocked. The thread starts with the first password and does not keep the process
 * alive.
 *
 * @returns A function that rejects with `ERR_LIMIT_EXCEEDED` when `maxPending` passwords wait.
 */
export function createBcryptThread(maxPending: number): ComparePassword {
  const queue = createFairQueue<Guess>(maxPending)
  let worker: Worker | undefined
  let current: Guess | undefined

  const next = (): void => {
    current = queue.shift()
    if (current === undefined) return void worker?.unref()
    worker ??= start()
    worker.ref()
    worker.postMessage({ password: current.password, hashes: current.hashes })
  }
  const start = (): Worker => {
    const bcrypt = createRequire(import.meta.url).resolve('bcryptjs')
    const started = new Worker(THREAD, { eval: true, workerData: bcrypt })
    started.on('message', (matches: boolean) => {
      current?.resolve(matches)
      next()
    })
    const end = (cause: unknown): void => {
      if (worker !== started) return
      worker = undefined
      current?.reject(new Error('the thread that compares passwords has ended', { cause }))
      next()
    }
    started.on('error', end)
    started.on('exit', end)
    return started
  }

  return (password, hashes, client) =>
    new Promise((resolve, reject) => {
      queue.push(client, { password, hashes, resolve, reject })?.reject(tooMany(maxPending))
      if (current === undefined) next()
    })
}

function tooMany(limit: number): SpindleError {
  return new SpindleError(
    'ERR_LIMIT_EXCEEDED',
    `${limit} passwords wait to be checked, which is the most ("maxPending"): try again in a moment`,
  )
}
