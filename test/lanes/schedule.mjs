/**
 * @typedef {object} Job
 * @property {string} name
 * @property {number} width How much of the capacity it takes while it runs.
 * @property {string} [after] Another job that ends before it starts.
 * @property {() => Promise<void>} run
 */

/**
 * Runs jobs side by side, in order: whenever there is room, the first that fits starts. One that is
 * wider than the capacity runs alone.
 *
 * @param {readonly Job[]} jobs
 * @param {number} capacity
 */
export async function schedule(jobs, capacity) {
  const waiting = [...jobs]
  /** @type {Map<Job, Promise<void>>} */
  const running = new Map()
  const ready = (job) => ![...waiting, ...running.keys()].some(({ name }) => name === job.after)
  const used = () => [...running.keys()].reduce((sum, job) => sum + job.width, 0)
  while (waiting.length > 0 || running.size > 0) {
    const next = waiting.find(
      (job) => ready(job) && (running.size === 0 || used() + job.width <= capacity),
    )
    if (next === undefined) {
      if (running.size === 0) throw new Error(`${waiting[0].name} waits for a job that never ends`)
      await Promise.race(running.values())
    } else {
      waiting.splice(waiting.indexOf(next), 1)
      running.set(
        next,
        next.run().finally(() => running.delete(next)),
      )
    }
  }
}
