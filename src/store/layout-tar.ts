import { cursorOn } from '../bytes/cursor.ts'
import { streamFrom, isStream, readBounded, readExactly, sizeOf } from '../bytes/stream.ts'
import { normalizePath } from '../bytes/path.ts'
import { type SliceableContent, sliceableOf } from '../bytes/sliceable.ts'
import { tarSizeOf, writeTar } from '../bytes/tar.ts'
import { readTar } from '../bytes/untar.ts'
import { SpindleError } from '../errors.ts'
import type { BodySource, Content, ReferrerStore, Store } from '../types.ts'
import { createLayoutStore, type LayoutFiles } from './layout.ts'

/** Largest blob to buffer, in bytes. */
const MAX_BLOB_BYTES = 1024 * 1024 * 1024

/** A layout in memory that can be written as a tar. */
export type LayoutArchive = Store &
  ReferrerStore & {
    /**
     * The layout as a tar, as skopeo's `oci-archive:` reads it. The same contents and names give
     * the
     * same bytes.
     */
    archive(): Content
  }

/**
 * Opens an OCI image layout in memory, empty or from a tar.
 *
 * Exported from `spindle/store`. Only the headers of a `Blob`
 * are read; contents are read on demand.
 *
 * @example Save an application as a file to download
 * ```ts
 * const layout = await readLayoutTar()
 * await copy('ghcr.io/team/hello:1', { store: layout, ref: '1' })
 * const file = await new Response(layout.archive().stream()).blob()
 * ```
 *
 * Rejects with `ERR_CONTENT_INVALID` for bytes that are not a tar with a layout, and
 * `ERR_LIMIT_EXCEEDED`.
 */
export async function readLayoutTar(tar?: Uint8Array | SliceableContent): Promise<LayoutArchive> {
  const contents = new Map<string, Uint8Array | Content>()
  if (tar !== undefined) {
    const source = tar instanceof Uint8Array ? sliceableOf(tar) : tar
    for await (const entry of readTar(cursorOn(source), { what: 'the OCI archive' })) {
      const result = normalizePath(entry.path)
      if (entry.kind !== 'file' || 'problem' in result) continue
      const { offset, size } = entry
      contents.set(result.path, source.slice(offset, offset + size))
    }
    if (!contents.has('oci-layout'))
      throw new SpindleError(
        'ERR_CONTENT_INVALID',
        'this tar is not an OCI layout: it has no file "oci-layout"',
      )
  }
  const archive = (): Content => {
    // `oci-layout` first, so that readers recognize the format.
    const rank = (path: string): string => (path === 'oci-layout' ? '' : path)
    const files = [...contents]
      .map(([path, content]) => ({ path, content }))
      .sort((a, b) => (rank(a.path) < rank(b.path) ? -1 : 1))
    return { size: tarSizeOf(files), stream: () => streamFrom(writeTar(files)) }
  }
  return { ...createLayoutStore(memoryFiles(contents)), archive }
}

function memoryFiles(contents: Map<string, Uint8Array | Content>): LayoutFiles {
  return {
    read: async (path) => contents.get(path),
    has: async (path) => contents.has(path),
    async write(path, body: BodySource, options) {
      const size = isStream(body) ? undefined : sizeOf(body)
      const bytes =
        size === undefined
          ? await readBounded(body, MAX_BLOB_BYTES, path, options?.signal)
          : await readExactly(body, size, path, options?.signal)
      contents.set(path, bytes)
    },
  }
}
