import { describe, expect, it } from 'vitest'
import { cpuTime } from '../fixtures/cpu-time.ts'
import { AppInvalid, SpindleError } from '../../src/errors.ts'
import { formatLockedApp } from '../../src/spin/lock/format-locked-app.ts'
import { compileGlob } from '../../src/spin/files/glob-pattern.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { lockApp } from '../../src/spin/source/lock-app.ts'
import { parseAppManifest } from '../../src/spin/manifest/manifest.ts'
import { normalizeManifest } from '../../src/spin/manifest/normalize.ts'

// A manifest comes with a folder that somebody else made: it must cost little, and reach nothing.

const HEAD = 'spin_manifest_version = 2\n[application]\nname = "a"\n'

function expectFast(work: () => void): void {
  const start = cpuTime()
  work()
  expect(cpuTime() - start).toBeLessThan(2000)
}

describe('prototype keys in a manifest', () => {
  it('are refused where keys are known, and data where they are free', async () => {
    expect(() => parseAppManifest(`${HEAD}[trigger]\n[__proto__]\nx = 1\n`)).toThrow(
      'unknown field `__proto__`',
    )
    expect(() =>
      parseAppManifest(`${HEAD}[trigger]\n[component.__proto__]\nsource = "a"\n`),
    ).toThrow(AppInvalid)
    expect(() => parseAppManifest(`${HEAD}constructor = 1\n[trigger]\n`)).toThrow(
      'unknown field `constructor`',
    )
    const app = await loadApp({
      a: 'A',
      'spin.toml': `${HEAD}[application.tool.__proto__]\nx = 1\n[[trigger.__proto__]]\ncomponent = "a"\n__proto__ = { polluted = true }\nconstructor.prototype.polluted = true\n[component.a]\nsource = "a"\nenvironment = { __proto__ = "e", constructor = "c" }\n`,
    })
    const { locked } = await lockApp(app)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    const text = new TextDecoder().decode(formatLockedApp(locked))
    expect(text).toContain('"env":{"__proto__":"e","constructor":"c"}')
    expect(text).toContain(
      '"trigger_type":"__proto__","trigger_config":{"__proto__":{"polluted":true},"component":"a","constructor":{"prototype":{"polluted":true}}}',
    )
  })

  it('are no components, variables or profiles', () => {
    const { manifest } = parseAppManifest(
      `${HEAD}[trigger]\n[component.a]\nsource = "a"\nvariables = { x = "{{ constructor }}" }\n`,
    )
    expect(() => normalizeManifest(manifest, { profile: 'constructor' })).toThrow(
      'Profile constructor is not defined',
    )
    expect(() => parseAppManifest(`${HEAD}[[trigger.x]]\ncomponent = "constructor"\n`)).toThrow(
      'component "constructor" does not exist',
    )
  })
})

describe('a manifest made to be slow', () => {
  it.each<[string, string]>([
    ['nested arrays', `${HEAD}x = ${'['.repeat(100_000)}`],
    ['nested tables', `${HEAD}x = ${'{a='.repeat(100_000)}`],
    ['a long dotted key', `${HEAD}${'a.'.repeat(100_000)}a = 1\n`],
    ['a header of many keys', `${HEAD}[trigger]\n[[trigger.x]]\n${'a.'.repeat(70)}a = 1\n`],
    [
      'many unknown keys',
      `${HEAD}${Array.from({ length: 20_000 }, (_, at) => `k${at} = 1\n`).join('')}[trigger]\n`,
    ],
    [
      'one line of a megabyte',
      `${HEAD}description = "${'x'.repeat(1_000_000)}"\nwhat = 1\n[trigger]\n`,
    ],
    ['a megabyte of quotes', `${HEAD}description = ${'"'.repeat(1_000_000)}\n`],
    ['too much of it', `${HEAD}#${'x'.repeat(3_000_000)}`],
  ])('is refused in time: %s', (_, text) => {
    expectFast(() => expect(() => parseAppManifest(text)).toThrow(AppInvalid))
  })
})

describe('a pattern made to be slow', () => {
  it.each(['walk', 'path'] as const)('ends: %s', (mode) => {
    const path = `${'a'.repeat(200)}/`.repeat(20)
    for (const pattern of [
      '*a'.repeat(500),
      '**/'.repeat(300) + 'b',
      '?*'.repeat(400) + 'b',
      '[a-z]*'.repeat(150) + 'b',
      `${'*/'.repeat(300)}b`,
    ]) {
      expectFast(() => {
        const matcher = compileGlob(pattern, mode)
        if (typeof matcher === 'function') expect(matcher(path)).toBe(false)
      })
    }
  })

  it('is an error when all patterns together take too long', () => {
    const budget = { left: 100_000 }
    const matcher = compileGlob('*a'.repeat(500), 'path', budget) as (path: string) => boolean
    expect(() => {
      for (let i = 0; i < 100; i++) matcher('a'.repeat(1000))
    }).toThrow(expect.objectContaining({ code: 'ERR_LIMIT_EXCEEDED' }))
  })
})

describe('a manifest that reaches out', () => {
  it.each<[string, string]>([
    ['to a file above', 'files = ["../secret"]'],
    ['to a file above by a glob', 'files = ["../*"]'],
    ['to a folder above', 'files = [{ source = "..", destination = "/" }]'],
    ['to the machine', 'files = ["/etc/passwd"]'],
    ['out of its own folder in the guest', 'files = [{ source = "a", destination = "../../x" }]'],
  ])('is refused: %s', async (_, line) => {
    const tree = {
      secret: 's',
      'app/a': 'A',
      'app/spin.toml': `${HEAD}[trigger]\n[component.c]\nsource = "a"\n${line}\n`,
    }
    await expect(loadApp(tree)).rejects.toThrow(AppInvalid)
  })

  it('is refused with credentials in a URL, which are not repeated', () => {
    const text = `${HEAD}[trigger]\n[component.c]\nsource = { url = "https://user:hunter2@a.example/x", digest = "sha256:${'0'.repeat(64)}" }\n`
    let error: unknown
    try {
      parseAppManifest(text)
    } catch (caught) {
      error = caught
    }
    expect(error).toBeInstanceOf(SpindleError)
    expect((error as AppInvalid).findings).toMatchObject([
      { code: 'url-credentials', line: 6, column: 18 },
    ])
    expect((error as AppInvalid).message).not.toContain('hunter2')
  })
})
