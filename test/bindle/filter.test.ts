import { describe, expect, it } from 'vitest'
import { filterParcels, globalParcels, parcelsInGroup } from '../../src/bindle/filter.ts'
import type { Conditions, Group, Invoice, Label, Parcel } from '../../src/bindle/invoice.ts'

const parcel = (name: string, conditions?: Conditions, feature?: Label['feature']): Parcel => ({
  label: {
    sha256: name,
    name,
    mediaType: 'x/y',
    size: 1,
    ...(feature === undefined ? {} : { feature }),
  },
  ...(conditions === undefined ? {} : { conditions }),
})
const invoice = (parcels: Parcel[], group: Group[] = []): Invoice => ({
  bindleVersion: '1.0.0',
  bindle: { name: 'a', version: '1.0.0' },
  parcel: parcels,
  group,
})
const names = (parcels: Parcel[]): string => parcels.map((entry) => entry.label.name).join(' ')

describe('picking parcels', () => {
  it('takes the global group and required groups', () => {
    const all = invoice(
      [
        parcel('global'),
        parcel('free', {}),
        parcel('server', { memberOf: ['server'] }),
        parcel('client', { memberOf: ['client'] }),
      ],
      [{ name: 'server', required: true }, { name: 'client' }],
    )
    expect(names(filterParcels(all))).toBe('global free server')
    expect(names(filterParcels(all, { groups: ['client'] }))).toBe('global free server client')
    expect(names(filterParcels(all, { withoutGroups: ['server'] }))).toBe('global free')
  })

  it('takes memberOf = [] for a member of nothing, as the reference does', () => {
    const all = invoice([parcel('nowhere', { memberOf: [] })])
    expect(names(filterParcels(all))).toBe('')
    expect(names(globalParcels(all))).toBe('nowhere')
  })

  it('follows requires through circles, and ends', () => {
    const all = invoice(
      [
        parcel('a', { requires: ['one'] }),
        parcel('b', { memberOf: ['one'], requires: ['two'] }),
        parcel('c', { memberOf: ['two'], requires: ['one'] }),
      ],
      [{ name: 'one' }, { name: 'two' }],
    )
    expect(names(filterParcels(all))).toBe('a b c')
    expect(names(parcelsInGroup(all, 'two'))).toBe('c')
  })

  it('leaves out a parcel whose feature is not wanted, and what only it requires', () => {
    const all = invoice(
      [
        parcel('linux', { requires: ['lib'] }, { host: { os: 'linux' } }),
        parcel('mac', {}, { host: { os: 'mac' } }),
        parcel('any'),
        parcel('lib', { memberOf: ['lib'] }),
      ],
      [{ name: 'lib' }],
    )
    expect(names(filterParcels(all, { features: { host: { os: 'mac' } } }))).toBe('mac any')
    expect(names(filterParcels(all, { withoutFeatures: { host: { os: 'mac' } } }))).toBe(
      'linux any lib',
    )
  })

  it('does not mistake inherited names for features', () => {
    const all = invoice([parcel('plain', {}, { host: { os: 'linux' } })])
    expect(
      names(filterParcels(all, { withoutFeatures: { constructor: { name: 'Object' } } })),
    ).toBe('plain')
  })

  it('names a group that is not there', () => {
    expect(() => filterParcels(invoice([]), { groups: ['nope'] })).toThrow(
      expect.objectContaining({ code: 'ERR_NOT_FOUND' }),
    )
  })
})
