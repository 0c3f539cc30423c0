import files from 'virtual:shared-vectors/sigstore'

export const VECTORS_MISSING = '../shared/vectors/sigstore is not there'

/** File name to text, by the name of its directory. */
function directoriesIn(folder: string): Map<string, Map<string, string>> {
  const directories = new Map<string, Map<string, string>>()
  for (const [path, text] of Object.entries(files)) {
    const [top, ...rest] = path.split('/')
    if (top !== folder) continue
    const name = rest.pop()!
    const directory = rest.join('/')
    if (!directories.has(directory)) directories.set(directory, new Map())
    directories.get(directory)!.set(name, text)
  }
  return directories
}

/** The cases by name; what they share is under the empty one. */
export const conformanceCases = directoriesIn('conformance')
export const cosignImages = directoriesIn('containers-image')
