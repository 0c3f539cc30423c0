import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { formatLockedApp } from '../../src/spin/lock/format-locked-app.ts'
import type { LockedApp } from '../../src/spin/lock/locked-app.ts'
import { parseLockedApp } from '../../src/spin/lock/parse-locked-app.ts'

const DIGEST = `sha256:${'0'.repeat(64)}` as const
const SOURCE = { content_type: 'application/wasm', digest: DIGEST }
const app = (component: object = {}, more: object = {}): unknown => ({
  spin_lock_version: 0,
  triggers: [],
  components: [{ id: 'a', source: SOURCE, ...component }],
  ...more,
})
const parse = (value: unknown) => parseLockedApp(encodeUtf8(JSON.stringify(value)))

describe('reading a locked application', () => {
  it.each<[string, unknown]>([
    ['nothing but what must be there', { spin_lock_version: 0, triggers: [], components: [] }],
    [
      'version 1 with requirements',
      app(
        { host_requirements: { local_service_chaining: 'required', middleware: 'required' } },
        {
          spin_lock_version: 1,
          must_understand: ['host_requirements', 'component_host_requirements'],
          host_requirements: { local_service_chaining: 'required' },
        },
      ),
    ],
    ['an unknown feature that is optional', app({ host_requirements: { telepathy: 'optional' } })],
    [
      'dependencies with all they can have',
      app({
        dependencies: {
          'a:b/c@1.0.0': { source: SOURCE, export: null, inherit: 'All' },
          plain: { source: SOURCE, export: 'x', inherit: { Some: ['files'] } },
        },
        trigger_dependencies: { middleware: [{ source: SOURCE, export: null }] },
      }),
    ],
    ['keys of versions to come', app({ future: { x: [1] } }, { other: true })],
  ])('gives back %s', (_, value) => {
    expect(parse(value)).toEqual(value)
    expect(parseLockedApp(formatLockedApp(parse(value)))).toEqual(value)
  })

  it('reads what Spin 0.8 wrote', () => {
    const old = app(
      {
        id: 'Some_Old.id',
        metadata: { allowed_http_hosts: [] },
        files: [
          { source: 'file:///tmp/x', digest: DIGEST, path: '\\assets\\a.txt' },
          { digest: DIGEST, path: '/b//./c' },
        ],
      },
      {
        metadata: { name: 'a', trigger: { type: 'http', base: '/' }, bindle_version: null },
        triggers: [
          {
            id: 'trigger--a',
            trigger_type: 'http',
            trigger_config: { component: 'a', executor: { type: 'spin' }, route: '/' },
          },
        ],
        variables: { v: { default: null, description: null, secret: false } },
      },
    )
    const { components, variables, metadata } = parse(old)
    expect(components[0]?.files).toEqual([
      { digest: DIGEST, path: 'assets/a.txt' },
      { digest: DIGEST, path: 'b/c' },
    ])
    expect(variables).toEqual({ v: {} })
    expect(metadata).toMatchObject({ trigger: { type: 'http', base: '/' } })
  })

  it.each<[string, unknown, string]>([
    ['a newer version', app({}, { spin_lock_version: 2 }), 'invalid version 2 > 1'],
    [
      'something it must understand',
      app({}, { must_understand: ['new_thing'] }),
      'understands "new_thing"',
    ],
    [
      'an unknown feature of the application',
      app({}, { host_requirements: { a: 'required', b: 'optional' } }),
      'does not support the following features required by this application: "a"',
    ],
    [
      'an unknown feature of a component',
      app({ host_requirements: { a: true } }),
      'does not support the following features',
    ],
  ])('refuses %s as unsupported', (_, value, message) => {
    expect(() => parse(value)).toThrow(
      expect.objectContaining({
        code: 'ERR_UNSUPPORTED',
        message: expect.stringContaining(message) as unknown,
      }),
    )
  })

  it.each<[string, unknown, string]>([
    ['a list', [], 'should be an object'],
    [
      'no version',
      { triggers: [], components: [] },
      'spin_lock_version should be a version number',
    ],
    ['no triggers', { spin_lock_version: 0, components: [] }, 'triggers should be an array'],
    ['no components', { spin_lock_version: 0, triggers: [] }, 'components should be an array'],
    [
      'a trigger without configuration',
      app({}, { triggers: [{ id: 'x', trigger_type: 'http' }] }),
      'triggers[0].trigger_config should be there',
    ],
    [
      'a component without a source',
      app({ source: undefined }),
      'components[0].source should be an object',
    ],
    [
      'content without a digest',
      app({ source: { content_type: 'application/wasm', source: 'file:///x' } }),
      'components[0].source.digest should be a digest',
    ],
    [
      'an inline that is no base64',
      app({ files: [{ digest: DIGEST, inline: '*', path: 'a' }] }),
      'components[0].files[0].inline should be base64',
    ],
    [
      'an environment of numbers',
      app({ env: { A: 1 } }),
      'components[0].env["A"] should be a string',
    ],
    [
      'a dependency without a proper name',
      app({ dependencies: { 'a b': { source: SOURCE, export: null } } }),
      'a valid name',
    ],
    [
      'two components of one id',
      app(
        {},
        {
          components: [
            { id: 'a', source: SOURCE },
            { id: 'a', source: SOURCE },
          ],
        },
      ),
      'two components with the id "a"',
    ],
  ])('refuses %s', (_, value, message) => {
    expect(() => parse(value)).toThrow(
      expect.objectContaining({
        code: 'ERR_CONTENT_INVALID',
        message: expect.stringContaining(message) as unknown,
      }),
    )
  })
})

it('a lock as Spin spells it is written again byte for byte', () => {
  const bytes = new Uint8Array(readFileSync(new URL('../fixtures/spin/lock.json', import.meta.url)))
  expect(formatLockedApp(parseLockedApp(bytes))).toEqual(bytes)
})

describe('any locked application', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 6 })
  const json = fc
    .jsonValue({ maxDepth: 3 })
    .map((value) => JSON.parse(JSON.stringify(value)) as never)
  const digest = fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => `sha256:${hex}` as const)
  const full = <T>(value: fc.Arbitrary<T>) =>
    fc.dictionary(text, value, { minKeys: 1, maxKeys: 3, noNullPrototype: true })
  const ref = fc.record(
    { inline: fc.constantFrom('', 'QQ', 'QUI'), digest },
    { requiredKeys: ['digest'] },
  )
  const source = ref.map((it) => ({ content_type: 'application/wasm', ...it }))
  const path = fc
    .array(
      fc.stringMatching(/^[a-zA-Z0-9._ -]{1,6}$/).filter((segment) => !/^\.\.?$/.test(segment)),
      { minLength: 1, maxLength: 3 },
    )
    .map((segments) => segments.join('/'))
  const file = fc.tuple(ref, path).map(([it, at]) => ({ ...it, path: at }))
  const dependency = fc.record(
    {
      source,
      export: fc.option(text),
      inherit: fc.constantFrom('All' as const, { Some: ['files'] }),
    },
    { requiredKeys: ['source', 'export'] },
  )
  const name = fc.stringMatching(/^[a-z]{1,4}:[a-z]{1,4}(\/[a-z]{1,3})?(@1\.0\.[1-9])?$/)
  const component = fc.record(
    {
      id: fc.stringMatching(/^[a-z]{1,8}$/),
      metadata: full(json),
      source,
      env: full(text),
      files: fc.array(file, { minLength: 1, maxLength: 3 }),
      config: full(text),
      dependencies: fc.dictionary(name, dependency, {
        minKeys: 1,
        maxKeys: 2,
        noNullPrototype: true,
      }),
      trigger_dependencies: full(fc.array(dependency, { minLength: 1, maxLength: 2 })),
      host_requirements: fc.constant({ local_service_chaining: 'required' as const }),
    },
    { requiredKeys: ['id', 'source'] },
  )
  const locked: fc.Arbitrary<LockedApp> = fc.record(
    {
      spin_lock_version: fc.constantFrom(0 as const, 1 as const),
      must_understand: fc.constant(['component_host_requirements' as const]),
      metadata: full(json),
      variables: full(
        fc.record(
          { description: text, default: text, secret: fc.constant(true as const) },
          { requiredKeys: [] },
        ),
      ),
      triggers: fc.array(fc.record({ id: text, trigger_type: text, trigger_config: json }), {
        maxLength: 2,
      }),
      components: fc.uniqueArray(component, { selector: ({ id }) => id, maxLength: 3 }),
    },
    { requiredKeys: ['spin_lock_version', 'triggers', 'components'] },
  ) as fc.Arbitrary<LockedApp>

  it('is read as it was written', () => {
    fc.assert(
      fc.property(locked, (value) => {
        const bytes = formatLockedApp(value)
        expect(JSON.parse(JSON.stringify(parseLockedApp(bytes)))).toEqual(
          JSON.parse(JSON.stringify(value)),
        )
        expect(formatLockedApp(parseLockedApp(bytes))).toEqual(bytes)
      }),
      { numRuns: 200 },
    )
  })
})
