import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { parse } from 'smol-toml'
import { describe, expect, it } from 'vitest'
import { AppInvalid } from '../../src/errors.ts'
import { parseAppManifest as parseStrictly } from '../../src/spin/manifest/manifest.ts'
import { normalizeManifest } from '../../src/spin/manifest/normalize.ts'
import type { AppManifest, ComponentTable } from '../../src/spin/manifest/app-manifest.ts'

const GOLDEN = new URL('../../../shared/vectors/spin/golden/manifest/', import.meta.url)
const HAS_GOLDEN = existsSync(GOLDEN)
if (!HAS_GOLDEN) console.warn('left out: golden manifests of Spin, ../shared/vectors is not there')

// These manifests are for Spin's reader alone: some would not load, one has no route.
const parseAppManifest = (text: string, path?: string) =>
  parseStrictly(text, path, { strict: false })

const read = (name: string): string => readFileSync(new URL(name, GOLDEN), 'utf8')
const named = (folder: string, end: string): string[] =>
  HAS_GOLDEN
    ? readdirSync(new URL(folder, GOLDEN))
        .filter((name) => name.endsWith(end))
        .map((name) => folder + name)
    : []

/** A manifest as Spin writes it: trigger configuration beside the entry's own keys, empty and absent the same. */
function spell(manifest: AppManifest): unknown {
  const one = (list: readonly (string | ComponentTable)[]) => (list.length === 1 ? list[0] : list)
  const trigger = Object.entries(manifest.trigger).map(([type, list]) => [
    type,
    list.map(({ config, components, ...rest }) => ({
      ...rest,
      ...(components && {
        components: Object.fromEntries(
          Object.entries(components).map(([key, specs]) => [key, one(specs)]),
        ),
      }),
      ...config,
    })),
  ])
  return JSON.parse(JSON.stringify({ ...manifest, trigger: Object.fromEntries(trigger) }))
}

/** Spin's JSON says `null` for what isn't there. */
function withoutNulls(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, inner) => (inner === null ? undefined : inner)))
}

describe.runIf(HAS_GOLDEN)('manifests of Spin', () => {
  it.each(named('', '.toml'))('%s reads as Spin reads it', (name) => {
    expect(spell(parseAppManifest(read(name), name).manifest)).toEqual(
      withoutNulls(JSON.parse(read(name.replace('.toml', '.json')))),
    )
  })

  it.each(named('v1/', '.toml'))('%s converts as Spin converts it', (name) => {
    const manifest = spell(parseAppManifest(read(name), name).manifest)
    expect(manifest).toEqual(withoutNulls(JSON.parse(read(name.replace('.toml', '.json')))))
    expect(manifest).toEqual(JSON.parse(JSON.stringify(parse(read(`${name}.v2`)))))
    expect(spell(parseAppManifest(read(`${name}.v2`), name).manifest)).toEqual(manifest)
  })

  it('normalization.toml normalizes as in Spin', () => {
    const { manifest } = parseAppManifest(read('normalization.toml'))
    expect(spell(normalizeManifest(manifest))).toEqual(
      JSON.parse(JSON.stringify(parse(read('normalization.toml.norm')))),
    )
  })

  it.each(named('invalid/', '.toml'))(
    '%s is refused with the words and the place that Spin gives',
    (name) => {
      const expected = read(name.replace('.toml', '.err')).trim()
      let error: unknown
      try {
        parseAppManifest(read(name), name)
      } catch (caught) {
        error = caught
      }
      expect(error).toBeInstanceOf(AppInvalid)
      const { findings } = error as AppInvalid
      const place = /at line (\d+), column (\d+)/.exec(expected)
      if (place === null) {
        expect(findings[0]?.message.startsWith(expected)).toBe(true)
        return
      }
      const [, ...rest] = expected.split('\n')
      const same = findings.filter(
        ({ line, column, frame, message }) =>
          line === Number(place[1]) &&
          column === Number(place[2]) &&
          `${frame}\n${message}` === rest.join('\n'),
      )
      expect(same, JSON.stringify(findings, null, 1)).toHaveLength(1)
    },
  )
})
