// A guest that prints faster than anybody writes it down.
import { describe, expect, it } from 'vitest'
import { createLogs, type LogLine } from '../../src/run/host/logs.ts'
import { createBudget } from '../../src/run/budget.ts'
import { attack, BEYOND, hostileGuest, MiB, times } from '../run/hostile-guest.ts'

const line = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(65).fill(10, bytes - 1)

/** A log that writes when it is told to. */
function slowLog() {
  const seen: LogLine[] = []
  const waiting: Array<() => void> = []
  return {
    seen,
    onLog: (one: LogLine) => {
      seen.push(one)
      return new Promise<void>((resolve) => void waiting.push(resolve))
    },
    writeAll: () => waiting.splice(0).forEach((resolve) => resolve()),
  }
}

describe('lines that nobody has written yet', () => {
  it('make a guest wait that can, and let it go on', async () => {
    const log = slowLog()
    const budget = createBudget()
    const lines = createLogs(log.onLog).request(budget, true)
    const output = lines.stream('guest', 'stderr')
    let written = 0
    while ((output.room() ?? 0) > 0) {
      output.write(line(1000))
      written++
    }
    expect(written).toBeLessThan(200)
    expect(output.pollable.ready()).toBe(false)
    expect(budget.held).toBeGreaterThan(written * 1000)
    const ready = output.pollable.wait()
    log.writeAll()
    await ready
    expect(output.pollable.ready()).toBe(true)
    await lines.drained()
    expect(budget.held).toBe(0)
  })

  it('are left out, and counted, where the host has too many about requests that hold no place', async () => {
    const log = slowLog()
    const logs = createLogs(log.onLog)
    for (let i = 0; i < 100_000; i++) logs.host('guest', 'refused: too many requests')
    expect(log.seen.length).toBeLessThan(5000)
    const written = log.seen.length
    log.writeAll()
    await expect
      .poll(() => log.seen.at(-1)?.text)
      .toBe(`the log is slow: ${100_000 - written} lines about requests were left out`)
  })

  it('keep the place of their request until they are written', async () => {
    const log = slowLog()
    const lines = createLogs(log.onLog).request(createBudget(), false)
    lines.stream('guest', 'stdout').write(line(10))
    let isDrained = false
    void lines.drained()?.then(() => (isDrained = true))
    await Promise.resolve()
    expect(isDrained).toBe(false)
    log.writeAll()
    await lines.drained()
    expect(lines.drained()).toBeUndefined()
  })

  it('end a guest that can’t wait, beyond its budget', async () => {
    const log = slowLog()
    const code = `(memory.fill (i32.const 1024) (i32.const 65) (i32.const 60000)) (i32.store8 (i32.const 61023) (i32.const 10))
      (local.set $s (call $stderr))
      ${times(5000, '(call $write (local.get $s) (i32.const 1024) (i32.const 60000) (i32.const 0))')}`
    const wasm = await hostileGuest({ uses: ['stderr', 'write'], code })
    const { status } = await attack(wasm, { jspi: false, onLog: log.onLog, maxMemory: 8 * MiB })
    expect(status).toBe(500)
    expect(log.seen.length).toBeLessThan(100)
    expect(`${log.seen.at(-1)?.text}`).toMatch(BEYOND)
  })
})
