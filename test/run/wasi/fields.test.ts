import { describe, expect, it } from 'vitest'
import { createFieldsFunctions, type Fields } from '../../../src/run/host/wasi/fields.ts'
import { FREE } from '../../../src/run/host/wasi/streams.ts'

const fieldsFunctions = createFieldsFunctions(FREE)
import type { Result } from '../../../src/run/host/wasi/result.ts'

const call = (name: string, ...args: unknown[]): unknown =>
  (fieldsFunctions[name] as (...args: unknown[]) => unknown)(...args)
const made = (): Fields => call('[constructor]fields') as Fields
const append = (fields: Fields, name: string, size: number): string =>
  (call('[method]fields.append', fields, name, new Uint8Array(size).fill(97)) as Result).tag

describe('the fields that a guest makes', () => {
  it('hold 128 KiB, names and values together, and then no more', () => {
    const fields = made()
    expect(append(fields, 'a', 128 * 1024 - 1)).toBe('ok')
    expect(append(fields, 'b', 0)).toBe('err')
    expect(fields.entries).toHaveLength(1)
  })

  it('are as many as ten thousand', () => {
    const fields = made()
    for (let i = 0; i < 10_000; i++) append(fields, 'a', 1)
    expect(append(fields, 'a', 1)).toBe('err')
    expect(fields.entries).toHaveLength(10_000)
  })

  it('can be taken out again when they are full', () => {
    const fields = made()
    append(fields, 'a', 128 * 1024 - 1)
    expect((call('[method]fields.delete', fields, 'a') as Result).tag).toBe('ok')
    expect(append(fields, 'b', 1)).toBe('ok')
  })

  it('are refused as a list when they are too much', () => {
    const list = [
      ['a', new Uint8Array(100_000)],
      ['b', new Uint8Array(100_000)],
    ].map(([name, value]) => [name, (value as Uint8Array).fill(97)])
    expect((call('[static]fields.from-list', list) as Result).tag).toBe('err')
  })
})
