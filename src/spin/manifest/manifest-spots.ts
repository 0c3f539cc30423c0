import type { AppManifest } from './app-manifest.ts'
import { toKebabId } from './ids.ts'
import type { ManifestDocument } from './manifest.ts'
import { componentSpotsV1 } from './manifest-v1.ts'
import { childSpot, descend, isTable, type Spot } from './spot.ts'

/** Finds the parts of a normalized manifest in the text that it was read from. */
export interface ManifestSpots {
  /** A component's table, wherever it was written. */
  component(id: string): Spot
  /** An entry of `[[trigger.<type>]]`; in version 1 the component that has it. */
  trigger(type: string, index: number): Spot
}

export function createManifestSpots(
  document: ManifestDocument,
  normalized: AppManifest,
): ManifestSpots {
  const { root, version } = document
  if (version === 1) {
    const list = [...componentSpotsV1(root)]
    const byId = new Map(list.map(([id, spot]) => [toKebabId(id), spot]))
    return {
      component: (id) => byId.get(id) ?? root,
      trigger: (_, index) => list[index]?.[1] ?? root,
    }
  }
  const trigger = (type: string, index: number): Spot =>
    descend(root, 'trigger', type, String(index)) ?? root
  const inPlace = new Map<string, Spot>()
  for (const [type, entries] of Object.entries(normalized.trigger)) {
    for (const [index, entry] of entries.entries()) {
      const written = trigger(type, index)
      note(inPlace, entry.component, childSpot(written, 'component'))
      for (const [role, ids] of Object.entries(entry.components ?? {})) {
        const specs = descend(written, 'components', role)
        for (const [at, id] of ids.entries()) {
          note(inPlace, id, Array.isArray(specs?.value) ? descend(specs, String(at)) : specs)
        }
      }
    }
  }
  return { component: (id) => inPlace.get(id) ?? descend(root, 'component', id) ?? root, trigger }
}

function note(inPlace: Map<string, Spot>, id: unknown, spot: Spot | undefined): void {
  if (typeof id === 'string' && spot !== undefined && isTable(spot.value)) inPlace.set(id, spot)
}

/** Where a component's key was written: in the profile that is applied, or in the component. */
export function keySpot(
  component: Spot,
  profile: string | undefined,
  ...keys: readonly string[]
): Spot {
  const over = profile === undefined ? undefined : descend(component, 'profile', profile, ...keys)
  return over ?? descend(component, ...keys) ?? component
}
