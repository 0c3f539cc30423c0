/** What the host of the pages says about itself, in `<meta>` of the page: see `build.mjs`. */
export interface PageConfig {
  /** Where a relay is, as `/relay`. */
  readonly relay: string | undefined
  /** Registries that it goes to. */
  readonly relayed: readonly string[]
  /** Where the other page is. */
  readonly playground: string | undefined
  readonly uploader: string | undefined
  /** Origins of the applications' own pages, `*` standing for a name of each; none for the uploader. */
  readonly preview: readonly string[]
  /** Where the keys and certificates are by which identities are proven; absent: Sigstore's own. */
  readonly trustedRoot: string | undefined
}

export function readConfig(): PageConfig {
  const read = (name: string): string | undefined =>
    document.querySelector<HTMLMetaElement>(`meta[name="spindle-${name}"]`)?.content || undefined
  return {
    relay: read('relay'),
    relayed: read('relayed')?.split(' ') ?? [],
    playground: read('playground'),
    uploader: read('uploader'),
    preview: read('preview')?.split(' ') ?? [],
    trustedRoot: read('trusted-root'),
  }
}
