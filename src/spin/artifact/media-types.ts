/** Media types of a Spin artifact. */

/** The locked application: a layer since Spin 2.0, the config before. */
export const LOCKED_APP_TYPE = 'application/vnd.fermyon.spin.application.v1+config'
export const WASM_LAYER_TYPE = 'application/vnd.wasm.content.layer.v1+wasm'
/** One static file. */
export const DATA_LAYER_TYPE = 'application/vnd.wasm.content.layer.v1+data'
/** All static files of one component, as tar in gzip. */
export const ARCHIVE_LAYER_TYPE = 'application/vnd.wasm.content.bundle.v1.tar+gzip'
/** A bare component or module, as wkg pushes it. Only read. */
export const WASM_PACKAGE_TYPE = 'application/wasm'

/** Configs of container images. */
export const IMAGE_CONFIG_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
])
/** Layers of container images, of OCI and of Docker: tar, packed or not. */
export const IMAGE_LAYER_TYPE: RegExp =
  /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar(?:\+(?:gzip|zstd))?|docker\.image\.rootfs\.(?:diff|foreign\.diff)\.tar(?:\.(?:gzip|zstd))?)$/
