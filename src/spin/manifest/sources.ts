import { parseVersion } from '../../bindle/semver.ts'
import type { ComponentFiles, ComponentSource } from './app-manifest.ts'
import { packageProblem } from './ids.ts'
import { checked, type Reader, readString, tableOf } from './readers.ts'
import { childSpot, isTable } from './spot.ts'

export const readDigest: Reader<string> = checked('invalid-digest', (digest) => {
  const shown = JSON.stringify(digest.slice(0, 100))
  if (!digest.startsWith('sha256:')) return `invalid \`digest\` ${shown}; must start with 'sha256:'`
  if (!/^sha256:[0-9a-f]{64}$/.test(digest))
    return `invalid \`digest\` ${shown}; must be 'sha256:' and 64 lower-case hexadecimal digits`
  return undefined
})

export const readUrl: Reader<string> = (spot) => {
  const text = readString(spot)
  if (text === undefined) return undefined
  let url: URL
  try {
    url = new URL(text)
  } catch {
    spot.report.error(spot, 'invalid-url', 'not a URL')
    return undefined
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    spot.report.error(
      spot,
      'invalid-url',
      `only http and https can be fetched, not ${url.protocol}`,
    )
  } else if (url.username !== '' || url.password !== '') {
    const message =
      'a URL with a user name or password is not fetched: remove them, and pass a "fetch" that authorizes'
    spot.report.error(spot, 'url-credentials', message, 'unseen')
  }
  return text
}

const readRemote = tableOf<{ url: string; digest: string }>({ url: readUrl, digest: readDigest }, [
  'url',
  'digest',
])

const readPackaged = tableOf<{ registry?: string; package: string; version: string }>(
  {
    registry: readString,
    package: checked('invalid-package', packageProblem),
    version: checked('invalid-version', (version) =>
      parseVersion(version) === undefined
        ? `invalid semantic version (${JSON.stringify(version)}): a package is taken at one exact version`
        : undefined,
    ),
  },
  ['package', 'version'],
)

/** A component's Wasm in one of its three forms. */
export const readSource: Reader<ComponentSource> = (spot) => {
  if (typeof spot.value === 'string') {
    if (spot.value !== '') return spot.value
    spot.report.error(spot, 'invalid-source', 'a source names a Wasm file')
    return undefined
  }
  if (
    isTable(spot.value) &&
    (childSpot(spot, 'url') !== undefined || childSpot(spot, 'digest') !== undefined)
  )
    return readRemote(spot)
  if (isTable(spot.value) && childSpot(spot, 'package') !== undefined) return readPackaged(spot)
  spot.report.error(
    spot,
    'invalid-source',
    'expected a path, { url, digest } or { registry, package, version }',
  )
  return undefined
}

const readPlacement = tableOf<{ source: string; destination: string }>(
  { source: readString, destination: readString },
  ['source', 'destination'],
)

export const readFilesEntry: Reader<ComponentFiles> = (spot) => {
  if (typeof spot.value === 'string') return spot.value
  if (isTable(spot.value)) return readPlacement(spot)
  spot.report.error(spot, 'invalid-files', 'expected a pattern or { source, destination }')
  return undefined
}
