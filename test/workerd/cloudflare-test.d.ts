declare module 'cloudflare:test' {
  /** The bindings that the lane's configuration names. */
  export const env: { readonly BUCKET: unknown }
}
