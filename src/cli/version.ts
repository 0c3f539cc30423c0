import { readFileSync } from 'node:fs'

/** The package's version, from the `package.json` above this file, wherever a build has put it. */
export function readVersion(): string {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    try {
      const manifest = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as {
        name?: string
        version?: string
      }
      if (manifest.name === 'spindle' && manifest.version !== undefined) return manifest.version
    } catch {
      // Not here: look above.
    }
    if (folder.href === new URL('..', folder).href) return 'unknown'
  }
}
