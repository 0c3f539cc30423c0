interface InterfaceName {
  readonly package: string
  readonly interface: string | undefined
  readonly version: string | undefined
}

function parseName(text: string): InterfaceName {
  const [path = '', version] = text.split('@', 2)
  const [name = '', within] = path.split('/', 2)
  return { package: name, interface: within, version }
}

/** Versions that may stand in for each other: up to the first number that isn't zero. */
function versionTrack(version: string | undefined): string | undefined {
  if (version === undefined || version.includes('-')) return version
  return /^(?:0\.)*[0-9]+/.exec(version)?.[0]
}

/** Whether a dependency of this name is meant for an import. */
export function fillsImport(dependency: string, importName: string): boolean {
  const wanted = parseName(dependency)
  const given = parseName(importName)
  return (
    wanted.package === given.package &&
    (wanted.interface === undefined || wanted.interface === given.interface) &&
    (wanted.version === undefined || wanted.version === given.version)
  )
}

/** The export for an import: by its name, or by one whose version may stand in for the import's. */
export function exportForImport(
  importName: string,
  exports: readonly string[],
  given: string | undefined,
): string | undefined {
  if (given !== undefined) return exports.find((name) => name === given)
  const wanted = parseName(importName)
  return (
    exports.find((name) => name === importName) ??
    exports.find((name) => {
      const found = parseName(name)
      return (
        found.package === wanted.package &&
        found.interface === wanted.interface &&
        versionTrack(found.version) === versionTrack(wanted.version)
      )
    })
  )
}

/** The same for names that can stand in for each other: of one interface, in compatible versions. */
export function compatibleName(name: string): string {
  const { package: owner, interface: within, version } = parseName(name)
  return `${owner}/${within ?? ''}@${versionTrack(version) ?? ''}`
}
