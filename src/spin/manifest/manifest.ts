import { findNewerToml } from './newer-toml.ts'
import { AppInvalid, type Finding } from '../../errors.ts'
import { decodeUtf8 } from '../../bytes/text.ts'
import type { AppManifest } from './app-manifest.ts'
import { checkHosts, checkVariables } from './check-hosts.ts'
import { componentSpotsV1, readManifestV1 } from './manifest-v1.ts'
import { componentSpots, readManifestV2 } from './manifest-v2.ts'
import {
  childSpot,
  createReport,
  descend,
  lenient,
  type Report,
  rootSpot,
  type Spot,
} from './spot.ts'
import { parseTomlDocument } from './toml.ts'

/** Longest manifest in UTF-16 units: a thousand components take a tenth of it. */
export const MAX_MANIFEST_LENGTH: number = 2 * 1024 * 1024

export interface ParseAppManifestOptions {
  /**
   * `false` only warns of what Spin refuses when it loads or starts an application, not when it reads
   * the manifest: malformed hosts, contradictory dependencies, triggers without a route or with an
   * unknown component. Default `true`.
   */
  strict?: boolean
}

export interface ParseAppManifestResult {
  readonly manifest: AppManifest
  /** What is deprecated, or won't do what it seems to. */
  readonly warnings: readonly Finding[]
}

/**
 * Reads a `spin.toml` of version 1 or 2 into the form of version 2.
 *
 * Exported from `spindle/app`. `path` is only for messages.
 *
 * @example Look at a manifest without its application
 * ```ts
 * const { manifest, warnings } = parseAppManifest(await file.text(), 'spin.toml')
 * ```
 *
 * Throws `AppInvalid` (`ERR_APP_INVALID`) with everything that is wrong with it, each with its place.
 *
 * @see https://spinframework.dev/manifest-reference
 */
export function parseAppManifest(
  source: string | Uint8Array,
  path: string = 'spin.toml',
  options: ParseAppManifestOptions = {},
): ParseAppManifestResult {
  const { manifest, report } = readAppManifest(source, path, options)
  return { manifest, warnings: report.warnings() }
}

/** A valid manifest with its text at hand, for findings about what it names. */
export interface ManifestDocument {
  readonly manifest: AppManifest
  readonly report: Report
  readonly root: Spot
  readonly version: 1 | 2
}

/** As `parseAppManifest`, for those who go on with it. */
export function readAppManifest(
  source: string | Uint8Array,
  path: string,
  options: ParseAppManifestOptions = {},
): ManifestDocument {
  const text = typeof source === 'string' ? source : decodeUtf8(source)
  if (text === undefined)
    throw new AppInvalid([
      { code: 'not-utf8', message: 'the manifest is not UTF-8 text: save it as UTF-8', path },
    ])
  if (text.length > MAX_MANIFEST_LENGTH) {
    throw new AppInvalid([
      {
        code: 'too-long',
        message: `the manifest is longer than ${MAX_MANIFEST_LENGTH} characters`,
        path,
      },
    ])
  }
  const document = parseTomlDocument(text, path)
  const report = createReport(document)
  const root = rootSpot(document, report)
  const start = options.strict === false ? lenient(root) : root
  const version = findVersion(root)
  const manifest =
    version === 1
      ? readManifestV1(root, start)
      : version === 2
        ? readManifestV2(root, start)
        : undefined
  for (const [, component] of version === 1
    ? componentSpotsV1(start)
    : version === 2
      ? componentSpots(start)
      : []) {
    checkHosts(component, manifest?.variables)
    checkVariables(component, version === 1 ? 'config' : 'variables', manifest?.variables)
  }
  checkBase(root, version)
  for (const { start, end, what } of findNewerToml(text)) {
    const place = { ...root.place, valueStart: start, valueEnd: end }
    report.warn(
      { ...root, place },
      'newer-toml',
      `${what} is of TOML 1.1, and Spin reads TOML 1.0: it refuses this manifest`,
    )
  }
  report.warnings()
  if (manifest === undefined || version === undefined)
    throw new Error('a manifest that could not be read was not reported')
  return { manifest, report, root, version }
}

function findVersion(root: Spot): 1 | 2 | undefined {
  const spot = childSpot(root, 'spin_manifest_version') ?? childSpot(root, 'spin_version')
  if (spot === undefined) {
    root.report.error(root, 'missing-key', 'missing field `spin_manifest_version`')
    return undefined
  }
  if (
    childSpot(root, 'spin_manifest_version') !== undefined &&
    childSpot(root, 'spin_version') !== undefined
  ) {
    root.report.error(
      spot,
      'duplicate-key',
      'duplicate field `spin_manifest_version`: remove `spin_version`',
      'key',
    )
    return undefined
  }
  if (spot.value === '1') return 1
  if (spot.value === 2) return checkVersionKey(root, spot)
  const shown = JSON.stringify(spot.value) ?? String(spot.value)
  root.report.error(
    spot,
    'invalid-version',
    `invalid manifest version: ${shown.slice(0, 100)}; write spin_manifest_version = 2`,
  )
  return undefined
}

/** Version 2 has only the long spelling of the key. */
function checkVersionKey(root: Spot, spot: Spot): 2 | undefined {
  if (childSpot(root, 'spin_manifest_version') !== undefined) return 2
  root.report.error(
    spot,
    'missing-key',
    'missing field `spin_manifest_version`: `spin_version` is of version 1',
    'key',
  )
  return undefined
}

function checkBase(root: Spot, version: 1 | 2 | undefined): void {
  const keys = version === 1 ? ['trigger'] : ['application', 'trigger', 'http']
  const trigger = descend(root, ...keys)
  const base = trigger === undefined ? undefined : childSpot(trigger, 'base')
  if (trigger === undefined || base === undefined) return
  if (version === 1 && childSpot(trigger, 'type')?.value !== 'http') return
  const message =
    base.value === '/'
      ? '`base` is deprecated and has no effect: remove it'
      : '`base` is deprecated: hosts from Spin 3.0 on refuse to start; put it before each route instead'
  base.report.warn(base, 'deprecated-base', message, 'key')
}
