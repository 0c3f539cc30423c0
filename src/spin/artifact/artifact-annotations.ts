import { isJsonObject } from '../../bytes/json.ts'
import type { LockedApp } from '../lock/locked-app.ts'

const PREFIX = 'org.opencontainers.image.'

/**
 * What a manifest says about the application: given annotations, and those that Spin infers where
 * they aren't given. `created` only when given: with it no two pushes would have one digest.
 * @see OCI Image Spec 1.1, Pre-Defined Annotation Keys
 */
export function annotationsOf(
  locked: LockedApp,
  given: Readonly<Record<string, string>> = {},
  created?: Date,
): Record<string, string> {
  const metadata = isJsonObject(locked.metadata) ? locked.metadata : {}
  const authors = Array.isArray(metadata['authors'])
    ? metadata['authors'].filter((author) => typeof author === 'string')
    : []
  const inferred: Readonly<Record<string, unknown>> = {
    authors: authors.join(', '),
    title: metadata['name'],
    description: metadata['description'],
    version: metadata['version'],
    created: created?.toISOString(),
  }
  const annotations = new Map(Object.entries(given))
  for (const [name, value] of Object.entries(inferred)) {
    if (typeof value === 'string' && value !== '' && !annotations.has(PREFIX + name))
      annotations.set(PREFIX + name, value)
  }
  return Object.fromEntries(annotations)
}
