import { type SliceableContent, sliceableOf } from '../../bytes/sliceable.ts'
import { chunksOf, concat, readExactly } from '../../bytes/stream.ts'
import type { Content } from '../../types.ts'

/** Bytes read at once: many small sections are in one, and little is read of large ones. */
const WINDOW = 4096
/** Bytes that tell what a file is that is no Wasm. */
const START = 256
/** Longest header of a section: its kind, and a length in LEB128. */
const SECTION_HEADER = 6
/** Real components have some thousand. The rest of a file with more is not looked at. */
const MAX_SECTIONS = 100_000

const MAGIC = [0, 0x61, 0x73, 0x6d]
/** Of core modules and of components: version, then layer. */
const CORE = [1, 0, 0, 0]
const COMPONENT = [0x0d, 0, 1, 0]

/** What people push in place of Wasm, by how it starts, and what to do about it. */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [
    /^version https:\/\/git-lfs\.github\.com\//,
    'is a Git LFS pointer, not the file that it stands for; run "git lfs pull"',
  ],
  [/^\s*<(?:!doctype|html|\?xml|head|body)/i, 'is a web page; check where it was downloaded from'],
  [
    /^\s*(?:;;[^\n]*\n\s*)*\(\s*(?:module|component)\b/,
    'is WebAssembly text; convert it with "wasm-tools parse" or "wat2wasm"',
  ],
]

/**
 * Finds out that a file is not a whole core module or component, as Spin does before it pushes, and
 * says what it is. Reads its start and the headers of its sections only.
 *
 * @returns What is wrong, to be said after its name, or `undefined`.
 * @see {@link https://webassembly.github.io/spec/core/binary/modules.html Core, 5.5}
 * @see {@link https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md Component Model, Binary Format}
 */
export async function findWasmProblem(
  wasm: Uint8Array | Content,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const size = wasm instanceof Uint8Array ? wasm.length : wasm.size
  if (size === 0) return 'is empty; build the component again'
  const part = wasm instanceof Uint8Array ? sliceableOf(wasm) : wasm
  const reader = createPartReader(part, signal)
  try {
    const start = await reader.read(0, Math.min(size, START))
    const kindProblem = findKindProblem(start, size)
    if (kindProblem !== undefined) return kindProblem
    for (let at = 8, count = 0; at < size && count < MAX_SECTIONS; count++) {
      const length = Math.min(SECTION_HEADER, size - at)
      const header = reader.held(at, length) ?? (await reader.read(at, length))
      const content = parseLength(header.subarray(1))
      if (content === 'invalid') return `is damaged: its section at byte ${at} has no valid length`
      const end = content === undefined ? Infinity : at + 1 + content.width + content.value
      if (end > size)
        return `is cut off: it ends at byte ${size}, within its section at byte ${at}; build or copy it again`
      at = end
    }
    return undefined
  } finally {
    reader.close()
  }
}

/** An unsigned LEB128 of 32 bits; `undefined` when it goes on after the bytes. */
function parseLength(
  bytes: Uint8Array,
): { readonly value: number; readonly width: number } | 'invalid' | undefined {
  let value = 0
  for (let i = 0; i < 5; i++) {
    const byte = bytes[i]
    if (byte === undefined) return undefined
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return value < 2 ** 32 ? { value, width: i + 1 } : 'invalid'
  }
  return 'invalid'
}

interface PartReader {
  /** `length` bytes from `at` on, which is never before an earlier one. */
  read(at: number, length: number): Promise<Uint8Array>
  /** The same, if they were read already. */
  held(at: number, length: number): Uint8Array | undefined
  close(): void
}

function createPartReader(content: Content, signal: AbortSignal | undefined): PartReader {
  const { slice } = content as Partial<SliceableContent>
  const chunks = slice === undefined ? chunksOf(content.stream(), signal) : undefined
  let start = 0
  let bytes = new Uint8Array(0)
  const more = async (at: number): Promise<boolean> => {
    if (slice !== undefined) {
      const end = Math.min(content.size, at + WINDOW)
      bytes = await readExactly(slice.call(content, at, end), end - at, 'the Wasm', signal)
      start = at
      return true
    }
    // What is before `at` is not needed any more.
    const passed = Math.min(bytes.length, Math.max(0, at - start))
    start += passed
    const next = await chunks?.next()
    if (next === undefined || next.done === true) return false
    bytes = concat([bytes.subarray(passed), next.value])
    return true
  }
  const held: PartReader['held'] = (at, length) =>
    at >= start && at + length <= start + bytes.length
      ? bytes.subarray(at - start, at - start + length)
      : undefined
  return {
    held,
    async read(at, length) {
      for (;;) {
        const found = held(at, length)
        if (found !== undefined) return found
        if (!(await more(at))) return bytes.subarray(Math.max(0, at - start))
      }
    },
    close: () => void chunks?.return(undefined).catch(() => {}),
  }
}

function findKindProblem(start: Uint8Array, size: number): string | undefined {
  if (!begins(start, MAGIC)) {
    if (size < 4 && begins(MAGIC, start)) return CUT_IN_HEADER
    const text = Array.from(start, (byte) => String.fromCharCode(byte)).join('')
    const [, what = describeOther(start)] = OTHERS.find(([form]) => form.test(text)) ?? []
    return `${what}; it is no WebAssembly`
  }
  if (size < 8) return CUT_IN_HEADER
  const version = start.subarray(4, 8)
  if (begins(version, CORE) || begins(version, COMPONENT)) return undefined
  const [number = 0, high = 0, layer = 0] = version
  return `is ${layer === 1 ? 'a component' : 'a core module'} of version ${number + 256 * high}${layer > 1 ? ` and layer ${layer}` : ''}; components of version 13 and core modules of version 1 are supported`
}

function describeOther(start: Uint8Array): string {
  if (begins(start, [0x1f, 0x8b])) return 'is gzip-compressed; unpack it'
  if (begins(start, [0x50, 0x4b, 3, 4])) return 'is a zip archive; unpack it'
  const isText = start.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d))
  return isText ? 'is text' : 'starts with other bytes'
}

const CUT_IN_HEADER = 'is cut off within its first 8 bytes; build or copy it again'

function begins(bytes: ArrayLike<number>, start: ArrayLike<number>): boolean {
  return Array.from(start).every((byte, i) => bytes[i] === byte)
}
