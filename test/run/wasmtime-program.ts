import { execFileSync } from 'node:child_process'
import process from 'node:process'

/** Wasmtime, named by `WASMTIME` or found in the PATH, if it is there. */
export function findWasmtime(): string | undefined {
  return [process.env['WASMTIME'], 'wasmtime'].find((name) => {
    if (name === undefined || name === '') return false
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })
}
