import { SpindleError } from '../errors.ts'
import type { Invoice, Parcel } from './invoice.ts'

export interface FilterOptions {
  /** Groups to take besides the required ones. */
  groups?: readonly string[]
  /** Groups to leave out though they are required. */
  withoutGroups?: readonly string[]
  /** Section → name → the one value that is wanted; parcels with another value, or none, are left out where they have the section. */
  features?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Section → name → a value that is not wanted. */
  withoutFeatures?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/**
 * Picks the parcels of an invoice that a given use needs.
 *
 * Exported from `spindle/bindle`. `satisfiedBy` is not evaluated, as
 * in the reference implementation.
 *
 * @example Only what a Linux host needs
 * ```ts
 * filterParcels(invoice, { features: { host: { os: 'linux' } } })
 * ```
 * @returns In the order of the invoice.
 * @see Bindle, Invoice Specification, Groups and Features
 */
export function filterParcels(invoice: Invoice, options: FilterOptions = {}): Parcel[] {
  const parcels = invoice.parcel ?? []
  const enabled = new Set<string>()
  for (const { name, required } of invoice.group ?? []) {
    if (required === true && options.withoutGroups?.includes(name) !== true) enabled.add(name)
  }
  for (const name of options.groups ?? []) {
    if (invoice.group?.some((group) => group.name === name) !== true) {
      throw new SpindleError(
        'ERR_NOT_FOUND',
        `${invoice.bindle.name}/${invoice.bindle.version} has no group ${JSON.stringify(name)}`,
      )
    }
    enabled.add(name)
  }

  const wanted = (parcel: Parcel): boolean => fitsFeatures(parcel, options)
  const picked = new Set<Parcel>()
  const pending = parcels.filter((parcel) => wanted(parcel) && isMember(parcel, enabled))
  const members = groupMembers(parcels)
  // A list, not recursion: groups may require each other in circles of any length.
  for (let parcel = pending.pop(); parcel !== undefined; parcel = pending.pop()) {
    if (picked.has(parcel)) continue
    picked.add(parcel)
    for (const group of parcel.conditions?.requires ?? []) {
      for (const member of members.get(group) ?? []) if (wanted(member)) pending.push(member)
      // Each group once, however many require it.
      members.delete(group)
    }
  }
  return parcels.filter((parcel) => picked.has(parcel))
}

/** `memberOf = []` is a member of nothing; without `memberOf` a parcel belongs to the global group. */
function isMember(parcel: Parcel, enabled: ReadonlySet<string>): boolean {
  const groups = parcel.conditions?.memberOf
  return groups === undefined || groups.some((group) => enabled.has(group))
}

function groupMembers(parcels: readonly Parcel[]): Map<string, Parcel[]> {
  const members = new Map<string, Parcel[]>()
  for (const parcel of parcels) {
    for (const group of new Set(parcel.conditions?.memberOf)) {
      const list = members.get(group)
      if (list === undefined) members.set(group, [parcel])
      else list.push(parcel)
    }
  }
  return members
}

function fitsFeatures(parcel: Parcel, options: FilterOptions): boolean {
  const valueOf = (section: string, name: string): string | undefined => {
    const features = parcel.label.feature
    if (features === undefined || !Object.hasOwn(features, section)) return undefined
    const values = features[section] as Readonly<Record<string, string>>
    return Object.hasOwn(values, name) ? values[name] : undefined
  }
  for (const [section, names] of Object.entries(options.withoutFeatures ?? {})) {
    for (const [name, value] of Object.entries(names))
      if (valueOf(section, name) === value) return false
  }
  for (const [section, names] of Object.entries(options.features ?? {})) {
    if (parcel.label.feature === undefined || !Object.hasOwn(parcel.label.feature, section))
      continue
    for (const [name, value] of Object.entries(names))
      if (valueOf(section, name) !== value) return false
  }
  return true
}

/** Parcels of the unnamed global group: always needed. */
export function globalParcels(invoice: Invoice): Parcel[] {
  return (invoice.parcel ?? []).filter((parcel) => (parcel.conditions?.memberOf?.length ?? 0) === 0)
}

/** Parcels of one named group, not followed further. */
export function parcelsInGroup(invoice: Invoice, group: string): Parcel[] {
  return (invoice.parcel ?? []).filter(
    (parcel) => parcel.conditions?.memberOf?.includes(group) === true,
  )
}
