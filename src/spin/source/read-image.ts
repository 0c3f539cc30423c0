import { SpindleError } from '../../errors.ts'
import type { Digest } from '../../types.ts'
import { readImageFiles } from '../artifact/image-files.ts'
import { loadApp } from './load-app.ts'
import { lockApp } from './lock-app.ts'
import type { ReadImage } from '../artifact/pulled-app.ts'
import { MAX_APP_BYTES } from '../files/tree-builder.ts'

/** Where containerd-shim-spin looks in an image. */
const MANIFEST_PATH = 'spin.toml'

/**
 * Reads the application in a container image (`FROM scratch`, `COPY spin.toml …`), as
 * containerd-shim-spin does: `/spin.toml`, and the files beside it that it names. An option of `pull`
 * and `unpackApp`.
 *
 * Exported from the main entry point and `spindle/app`.
 *
 * @example
 * ```ts
 * const app = await pull('registry.example/team/image:1', { readImage })
 * ```
 *
 * Nothing is downloaded: a component given by URL or of a package registry is `ERR_UNSUPPORTED`, as
 * whoever made the image would choose what is asked of which server. Rejects with `ERR_APP_INVALID`
 * for the manifest, `ERR_CONTENT_INVALID`, `ERR_DIGEST_MISMATCH` and `ERR_LIMIT_EXCEEDED`.
 *
 * @see {@link https://www.spinkube.dev/docs/topics/packaging/ SpinKube, Packaging and deploying apps}
 */
export const readImage: ReadImage = async (layers, store, options) => {
  const { maxBytes = MAX_APP_BYTES, maxFiles, signal, createHasher, onProgress } = options
  const files = await readImageFiles(layers, store, {
    maxBytes,
    maxFiles,
    signal,
    createHasher,
    onProgress,
  }).catch((cause: unknown) => {
    if (!(cause instanceof SpindleError) || cause.code !== 'ERR_CONTENT_INVALID') throw cause
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `this artifact is no Spin application: it is a container image that can't be read: ${cause.message}`,
      { cause },
    )
  })
  if (!files.has(MANIFEST_PATH))
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `this artifact is no Spin application: it is a container image without a /${MANIFEST_PATH}`,
    )
  const app = await loadApp(files, {
    manifestPath: MANIFEST_PATH,
    maxBytes,
    ...(maxFiles === undefined ? {} : { maxFiles }),
    fetch: () =>
      Promise.reject(
        new SpindleError(
          'ERR_UNSUPPORTED',
          'components of a container image must be in its layers: nothing is downloaded for it',
        ),
      ),
    ...(signal === undefined ? {} : { signal }),
  })
  const { locked, contents } = await lockApp(app, { signal, createHasher })
  // An image has files in memory only, so that all contents are bytes.
  return { locked, contents: contents as ReadonlyMap<Digest, Uint8Array> }
}
