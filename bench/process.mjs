import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import process from 'node:process'

/** How often the peak is read, in milliseconds: the kernel keeps it, so only the very end can be missed. */
const POLL = 5

/**
 * Runs a command and gives its wall time, its peak of resident memory, and the JSON of its last line, if any.
 * @param {string} command
 * @param {readonly string[]} args
 */
export async function measure(command, args, { timeout = 300_000, env = process.env } = {}) {
  const started = performance.now()
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout, env })
  let stdout = ''
  let stderr = ''
  let peak = 0
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const poll = setInterval(() => {
    peak = Math.max(peak, readPeak(child.pid))
  }, POLL)
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  }).finally(() => clearInterval(poll))
  const wall = (performance.now() - started) / 1000
  if (code !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stderr.slice(-2000)}`)
  const said = readJson(stdout.trimEnd().split('\n').at(-1) ?? '')
  return { wall, peak: Math.max(peak, said.peak ?? 0), ...said, seconds: said.seconds ?? wall }
}

/** The kernel's high-water mark in bytes; 0 where there is no /proc, or the process is gone. */
function readPeak(pid) {
  try {
    const kiB = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kiB === undefined ? 0 : Number(kiB) * 1024
  } catch {
    return 0
  }
}

function readJson(line) {
  try {
    const value = JSON.parse(line)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** What a measured side says at its end. */
export function say(result) {
  console.log(JSON.stringify({ ...result, peak: process.resourceUsage().maxRSS * 1024 }))
}

export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
