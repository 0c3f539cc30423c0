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
