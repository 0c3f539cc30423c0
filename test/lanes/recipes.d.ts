// oxlint-disable typescript/consistent-type-imports -- ambient modules can import nothing
// What the tests ask of the programs in the documents; that these compile is tested with the package.
declare module 'virtual:recipes/uploader.ts' {
  export function upload(
    source: import('../../src/index.ts').AppSource,
    reference: string,
    page: Pick<import('../../src/index.ts').RemoteOptions, 'credentials' | 'fetch' | 'signal'> & {
      say(line: string): void
    },
  ): Promise<string>
}
declare module 'virtual:recipes/proxy.ts' {
  export function createProxy(proxy: {
    reference: string
    policy: import('../../src/index.ts').Policy
    remote?: import('../../src/index.ts').RemoteOptions
  }): import('../../src/index.ts').FetchHandler
}
declare module 'virtual:recipes/playground.ts' {
  export function play(
    source: import('../../src/index.ts').AppSource,
    print: (line: string) => void,
  ): Promise<import('../../src/index.ts').FetchHandler & { readonly digest: string }>
}
declare module 'virtual:recipes/migrate.ts' {
  export function migrate(
    client: import('../../src/index.ts').BindleClient,
    name: string,
    repository: string,
    options: import('../../src/index.ts').RemoteOptions,
  ): Promise<Map<string, string>>
}
declare module 'virtual:recipes/release.ts' {
  export function release(release: {
    folder: string
    reference: string
    privateKey: string
    publicKey: string
  }): Promise<string>
}
