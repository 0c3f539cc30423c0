import { createPortableHasher } from '../../bytes/digest.ts'
import { formatHex } from '../../bytes/hex.ts'
import { chunksOf, openStream } from '../../bytes/stream.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import type { Content, CreateHasher } from '../../types.ts'
import type { App } from './app.ts'

/**
 * Build metadata as `spin deploy` made it: `q` and seven digits of a hash over all Wasm, files and
 * the manifest, so that changed content gets an id of its own.
 *
 * Exported from `spindle/bindle`.
 */
export async function contentBuildInfo(
  app: App,
  options: { createHasher?: CreateHasher | undefined; signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const hasher = (options.createHasher ?? createPortableHasher)('sha256')
  const add = async (content: Uint8Array | Content): Promise<void> => {
    for await (const chunk of chunksOf(openStream(content), options.signal))
      await hasher.update(chunk)
  }
  for (const { table, wasmContent, fileTree } of app.components) {
    const { source } = table
    await add(
      typeof source === 'object' && 'digest' in source ? encodeUtf8(source.digest) : wasmContent,
    )
    for (const content of fileTree.values()) await add(content)
  }
  const manifest = app.files.get(app.manifestPath)
  if (manifest !== undefined) await add(manifest)
  return `q${formatHex(await hasher.digest()).slice(0, 7)}`
}
