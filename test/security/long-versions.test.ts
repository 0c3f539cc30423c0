import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseBindleId } from '../../src/bindle/id.ts'
import { orderedInvoice } from '../../src/bindle/invoice.ts'
import { compareVersions, parseRange, parseVersion, type Version } from '../../src/bindle/semver.ts'
import { formatToml } from '../../src/bytes/toml.ts'
import { decodeUtf8Lossy } from '../../src/bytes/text.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { parseAppManifest } from '../../src/spin/manifest/manifest.ts'
import { migrateBindles } from '../../src/verbs/migrate-bindle.ts'
import { between, bindleOf, clientOf, toml } from '../bindle/small-bindle.ts'

// Versions with millions of digits: to compare two of them, or to say what is wrong with one, must
// cost no more than with any other.

const DIGITS = '1'.repeat(7_000_000)

describe('a version of millions of digits', () => {
  it.each([
    ['number', `${DIGITS}.0.0`],
    ['pre-release', `1.0.0-${DIGITS}`],
    ['build', `1.0.0+${DIGITS}`],
    ['list of identifiers', `1.0.0-${'1.'.repeat(1_000_000)}1`],
  ])('is none: %s', (_, version) => {
    expect(parseVersion(version)).toBeUndefined()
    expect(() => parseBindleId(`team/app/${version}`)).toThrow(
      expect.objectContaining({
        code: 'ERR_REFERENCE_INVALID',
        message: expect.stringMatching(/^.{0,500}at most 256 characters.{0,100}$/) as string,
      }),
    )
  })

  it('is none in a range either', () => {
    expect(parseRange(`>=1.0.0-${DIGITS}`)).toBeUndefined()
    expect(parseRange('1,'.repeat(1_000_000))).toBeUndefined()
    expect(parseRange(Array(33).fill('>0').join())).toBeUndefined()
    expect(parseRange(Array(32).fill('>0').join())?.(parseVersion('1.0.0')!)).toBe(true)
  })

  it('is refused in an application, with a message that can be read', () => {
    const text = `spin_manifest_version = 2\n[application]\nname = "a"\n[trigger]\n[component.a]\nsource = { package = "a:b", version = "${'1'.repeat(1_000_000)}.0.0" }\n`
    let message = ''
    try {
      parseAppManifest(text)
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toContain('invalid semantic version')
    expect(message.length).toBeLessThan(2000)
  })

  it('ends a migration before anything is compared', async () => {
    const { invoice } = await bindleOf(['red'])
    const of = (version: string) =>
      orderedInvoice({ ...invoice, bindle: { ...invoice.bindle, version } })
    const page = {
      query: '',
      strict: true,
      offset: 0,
      limit: 50,
      total: 2,
      more: false,
      yanked: false,
      invoices: [of(`1.0.0-${DIGITS}`), of(`1.0.0-${DIGITS.slice(1)}`)],
    }
    const server = between(createBindleHandler(), () =>
      toml(200, decodeUtf8Lossy(formatToml(page))),
    )
    const { name } = invoice.bindle
    const moved = migrateBindles({ client: clientOf(server), name }, 'registry.test/a')
    await expect(moved.next()).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
  })
})

describe('a name of too many versions', () => {
  it('is not migrated', async () => {
    const { invoice } = await bindleOf(['red'])
    const { name } = invoice.bindle
    let pages = 0
    const server = between(createBindleHandler(), (request) => {
      const offset = Number(new URL(request.url).searchParams.get('offset'))
      pages++
      const invoices = Array.from({ length: 50 }, (_, i) => ({
        bindleVersion: '1.0.0',
        bindle: { name, version: `1.0.${offset + i}` },
      }))
      return toml(200, decodeUtf8Lossy(formatToml({ query: '', more: true, invoices })))
    })
    const moved = migrateBindles({ client: clientOf(server), name }, 'registry.test/a')
    await expect(moved.next()).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
    expect(pages).toBe(201)
  })
})

describe('numbers among the identifiers of a pre-release', () => {
  const number = fc
    .tuple(fc.integer({ min: 1, max: 9 }), fc.string({ unit: fc.constantFrom(...'0123456789') }))
    .map(([first, rest]) => `${first}${rest}`)
  const versionOf = (identifier: string): Version => parseVersion(`1.0.0-${identifier}`)!

  it('are in the order of their values, however long they are', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        const order = BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0
        expect(Math.sign(compareVersions(versionOf(a), versionOf(b)))).toBe(order)
      }),
    )
  })

  it('come before words', () => {
    expect(compareVersions(versionOf('99999999999999999999'), versionOf('a'))).toBeLessThan(0)
    expect(compareVersions(versionOf('a'), versionOf('99999999999999999999'))).toBeGreaterThan(0)
  })
})
