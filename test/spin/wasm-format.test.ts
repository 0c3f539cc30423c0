import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { findWasmProblem } from '../../src/spin/source/wasm-format.ts'
import type { Content } from '../../src/types.ts'
import { bytesOfFile } from '../run/fixtures.ts'

const MODULE = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
const COMPONENT = [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]
const bytesOf = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes)
const textOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const hello = bytesOfFile('examples/hello/hello.wasm')

/** Content that can only be read from its beginning, a few bytes at a time. */
function streamed(bytes: Uint8Array, piece = 100): Content & { taken: () => number } {
  let taken = 0
  const stream = (): ReadableStream<Uint8Array> => {
    let at = 0
    return new ReadableStream(
      {
        pull(controller) {
          if (at >= bytes.length) return controller.close()
          taken += piece
          controller.enqueue(bytes.slice(at, (at += piece)))
        },
      },
      { highWaterMark: 0 },
    )
  }
  return { size: bytes.length, stream, taken: () => taken }
}

const forms = (bytes: Uint8Array): (Uint8Array | Content)[] => [
  bytes,
  new Blob([bytes as Uint8Array<ArrayBuffer>]),
  streamed(bytes),
  streamed(bytes, 1),
]

describe('Wasm is', () => {
  it.each<[string, Uint8Array]>([
    ['an empty module', bytesOf(...MODULE)],
    ['an empty component', bytesOf(...COMPONENT)],
    ['a module with custom sections', bytesOf(...MODULE, 0, 2, 1, 65, 0, 1, 0)],
    ['a section whose length takes more bytes than needed', bytesOf(...MODULE, 0, 0x81, 0, 0)],
    ['a real component', hello],
    ['a real module', bytesOfFile('test/guests/legacy.wasm')],
  ])('%s', async (_, bytes) => {
    for (const form of forms(bytes)) expect(await findWasmProblem(form)).toBeUndefined()
  })
})

describe('no Wasm is', () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d'.repeat(32)}\nsize 12345\n`
  it.each<[string, Uint8Array, string]>([
    ['nothing', bytesOf(), 'is empty'],
    ['a Git LFS pointer', textOf(pointer), 'Git LFS pointer'],
    ['a web page', textOf('\n<!DOCTYPE html><html></html>'), 'web page'],
    ['a page without a doctype', textOf('<html>'), 'web page'],
    ['an error as XML', textOf('<?xml version="1.0"?><Error/>'), 'web page'],
    ['WAT', textOf(';; a comment\n(module)'), 'WebAssembly text'],
    ['a component as WAT', textOf('(component)'), 'WebAssembly text'],
    ['JSON', textOf('{"message":"Not Found"}'), 'is text'],
    ['text in another script', textOf('привет'), 'is text'],
    ['a gzip', gzipSync(hello), 'gzip-compressed'],
    ['a zip', textOf('PK\x03\x04rest'), 'zip archive'],
    ['another file', bytesOf(0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0), 'no WebAssembly'],
    ['zeros', bytesOf(0, 0, 0, 0, 0, 0, 0, 0), 'no WebAssembly'],
    ['less than a header', bytesOf(...MODULE.slice(0, 3)), 'cut off within its first 8 bytes'],
    ['half a header', bytesOf(...MODULE.slice(0, 6)), 'cut off within its first 8 bytes'],
    ['version 2', bytesOf(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0), 'a core module of version 2'],
    ['an old component', bytesOf(0, 0x61, 0x73, 0x6d, 0x0c, 0, 1, 0), 'a component of version 12'],
    ['another layer', bytesOf(0, 0x61, 0x73, 0x6d, 1, 0, 2, 0), 'layer 2'],
    ['a section without a length', bytesOf(...MODULE, 1), 'cut off'],
    ['a section that is cut', bytesOf(...MODULE, 1, 5, 0), 'within its section at byte 8'],
    ['a length that is cut', bytesOf(...MODULE, 1, 0x80), 'within its section at byte 8'],
    ['a length of 2^32', bytesOf(...MODULE, 0, 0xff, 0xff, 0xff, 0xff, 0x1f), 'damaged'],
    ['a length without end', bytesOf(...MODULE, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0), 'damaged'],
    ['a real one without its last byte', hello.subarray(0, -1), 'cut off'],
    ['a quarter of a real one', hello.subarray(0, hello.length / 4), 'cut off'],
  ])('%s', async (_, bytes, reason) => {
    for (const form of forms(bytes)) expect(await findWasmProblem(form)).toContain(reason)
  })
})

describe('the check', () => {
  it('reads the headers of sections only, where parts can be read', async () => {
    const size = 50_000_000
    const section = bytesOf(...MODULE, 0, ...lengthOf(size - 8 - 1 - 4))
    let read = 0
    const slice = (start: number, end: number): Content => {
      read += end - start
      const part = new Uint8Array(end - start)
      part.set(section.subarray(start, end))
      return new Blob([part])
    }
    const stream = (): never => {
      throw new Error('read whole')
    }
    expect(await findWasmProblem({ size, stream, slice } as Content)).toBeUndefined()
    expect(read).toBeLessThan(20_000)
  })

  it('leaves what is not Wasm after its start', async () => {
    const content = streamed(new Uint8Array(1_000_000))
    expect(await findWasmProblem(content)).toContain('no WebAssembly')
    expect(content.taken()).toBeLessThan(2000)
  })

  it('ends with a file of nothing but empty sections', async () => {
    const sections = new Uint8Array(8 + 4_000_000)
    sections.set(MODULE)
    expect(await findWasmProblem(sections)).toBeUndefined()
  })
})

function lengthOf(value: number): number[] {
  return [0, 1, 2, 3].map((i) => ((value >> (7 * i)) & 0x7f) | (i < 3 ? 0x80 : 0))
}
