import { createHostFuture } from '../../component/async/host-transfer.ts'
import type { HostFunction, HostInterface } from '../../component/abi/items.ts'
import type { Readable } from '../../component/abi/transfer.ts'
import type { DirectoryNode, Node } from '../wasi/file-system.ts'
import { createFilesystem } from '../wasi/filesystem.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import type { InputStream } from '../wasi/streams.ts'
import { streamOf, streamOfItems, type StreamAndOutcome } from './transfers.ts'

/** 0.3 turned error enums into variants, which can carry unnamed codes. */
function tagged(result: Result): Result {
  return result.tag === 'err' ? err({ tag: result.val }) : result
}

function withType(value: unknown): unknown {
  const { type, ...rest } = value as { readonly type: string }
  return { ...rest, type: { tag: type } }
}

/** Lazy: a directory can be large and opened often. */
function* entriesOf(entries: Iterable<readonly [string, Node]>): Iterable<unknown> {
  for (const [name, { kind }] of entries)
    yield { name, type: { tag: kind === 'file' ? 'regular-file' : 'directory' } }
}

const refused = (_: unknown, data: Readable): Readable => {
  data.drop()
  return createHostFuture(err({ tag: 'read-only' }))
}

/** `wasi:filesystem` 0.3 over the same read-only mount as 0.2. */
export function createFilesystem3(
  root: DirectoryNode | undefined,
): Readonly<Record<string, HostInterface>> {
  const older = createFilesystem(root)
  const { functions } = older['wasi:filesystem/types'] as HostInterface
  const call = (name: string, ...args: unknown[]): Result =>
    (functions[name] as (...args: unknown[]) => Result)(...args)
  const adapted = Object.entries(functions).map(([name, fn]): [string, HostFunction] => [
    name,
    (...args: unknown[]) => {
      const result = (fn as (...args: unknown[]) => unknown)(...args)
      return typeof result === 'object' ? tagged(result as Result) : result
    },
  ])
  const stat =
    (name: string): HostFunction =>
    (...args: unknown[]) => {
      const result = call(name, ...args)
      return result.tag === 'ok' ? ok(withType(result.val)) : tagged(result)
    }
  const types: HostInterface['functions'] = {
    ...Object.fromEntries(adapted),
    '[method]descriptor.stat': stat('[method]descriptor.stat'),
    '[method]descriptor.stat-at': stat('[method]descriptor.stat-at'),
    '[method]descriptor.get-type': (self: unknown) => {
      const result = call('[method]descriptor.get-type', self)
      return result.tag === 'ok' ? ok({ tag: result.val }) : tagged(result)
    },
    '[method]descriptor.read-via-stream': (self: unknown, offset: bigint): StreamAndOutcome => {
      const result = call('[method]descriptor.read-via-stream', self, offset)
      return result.tag === 'ok'
        ? streamOf(result.val as InputStream)
        : streamOfItems([], tagged(result))
    },
    '[method]descriptor.read-directory': (self: unknown): StreamAndOutcome => {
      const result = call('[method]descriptor.read-directory', self)
      if (result.tag === 'err') return streamOfItems([], tagged(result))
      return streamOfItems(entriesOf(result.val as Iterable<[string, Node]>))
    },
    '[method]descriptor.write-via-stream': refused,
    '[method]descriptor.append-via-stream': refused,
  }
  return { ...older, 'wasi:filesystem/types': { functions: types } }
}
