/** One line in two columns; without a label it goes on with what the line above is about. */
export function say(label, text) {
  console.log(`${label.padEnd(12)} ${text}`)
}

export async function timed(work) {
  const started = performance.now()
  const result = await work()
  return { result, time: `${(performance.now() - started).toFixed(0)} ms` }
}

export function assert(holds, problem) {
  if (!holds) throw new Error(problem)
}
