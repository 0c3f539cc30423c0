import { beforeEach, describe, expect, it } from 'vitest'
import { loadFileSystem } from '../../../src/run/host/wasi/file-system.ts'
import { createPreview1 } from '../../../src/run/host/wasi/preview1.ts'
import { createBytesInput, createLineOutput } from '../../../src/run/host/wasi/streams.ts'

const ROOT = 3
const SUCCESS = 0

describe('a file that a program reads from a place of its own', () => {
  const memory = new WebAssembly.Memory({ initial: 1 })
  const view = new DataView(memory.buffer)
  let call: (name: string, ...args: unknown[]) => number
  let file: number
  beforeEach(async () => {
    const { host, attach } = createPreview1({
      env: [],
      args: [],
      stdin: createBytesInput(new Uint8Array()),
      stdout: createLineOutput({ line: () => {} }),
      stderr: createLineOutput({ line: () => {} }),
      files: await loadFileSystem(new Map([['a', new TextEncoder().encode('0123456789')]])),
    })
    attach(memory)
    call = (name, ...args) => (host.functions[name] as (...args: unknown[]) => number)(...args)
    view.setUint8(0, 'a'.charCodeAt(0))
    expect(call('path_open', ROOT, 0, 0, 1, 0, 2n, 0n, 0, 8)).toBe(SUCCESS)
    file = view.getUint32(8, true)
    // One buffer of four bytes at 100.
    view.setUint32(16, 100, true)
    view.setUint32(20, 4, true)
  })
  const read = (offset: bigint): string => {
    expect(call('fd_pread', file, 16, 1, offset, 24)).toBe(SUCCESS)
    return new TextDecoder().decode(new Uint8Array(memory.buffer, 100, view.getUint32(24, true)))
  }

  it.each([
    [0n, '0123'],
    [8n, '89'],
    [10n, ''],
    // Core code has signed numbers only; offsets have no sign.
    [-8n, ''],
    [-(2n ** 63n), ''],
  ])('gives what is there: from %s', (offset, text) => {
    expect(read(offset)).toBe(text)
  })
})
