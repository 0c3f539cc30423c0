import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AppInvalid, type Finding } from '../../src/errors.ts'
import { parseAppManifest } from '../../src/spin/manifest/manifest.ts'

const HEAD = 'spin_manifest_version = 2\n[application]\nname = "app"\n'
const MINIMAL = `${HEAD}[trigger]\n`

function findingsOf(text: string): readonly Finding[] {
  try {
    parseAppManifest(text)
  } catch (error) {
    if (error instanceof AppInvalid) return error.findings
    throw error
  }
  return []
}

const newer = (line: string): string =>
  `spin_manifest_version = 2\napplication.name = "a"\n[application.tool.t]\n${line}\n[[trigger.http]]\nroute = "/"\ncomponent = "w"\n[component.w]\nsource = "w.wasm"\n`
const messagesOf = (text: string) => findingsOf(text).map(({ message }) => message)
const component = (table: string) => `${MINIMAL}[component.a]\nsource = "a.wasm"\n${table}\n`
const http = (entry: string) =>
  `${HEAD}[[trigger.http]]\n${entry}\n[component.a]\nsource = "a.wasm"\n`
const dependencies = (entries: string, more = '') =>
  component(`[component.a.dependencies]\n${entries}\n${more}`)

describe('a manifest', () => {
  it.each([
    MINIMAL,
    component(''),
    component('key_value_stores = ["default", "snake_case", "kebab-case"]'),
    component('build = { command = ["a", "b"], workdir = "w", watch = ["src/*"] }'),
    component('targets = ["spin-up:3.0", { url = "https://a/b" }, { path = "t.toml" }]'),
    component('environment = { ANY_key = "v", "with space" = "w" }'),
    component('files = ["a/*", { source = "s", destination = "/" }]'),
    component(
      'allowed_outbound_hosts = ["https://{{ host }}:{{ port }}", "*://*:*"]\nvariables = { a_b = "x-{{ c }}" }',
    ),
    component(
      '[component.a.profile.debug]\nsource = "d.wasm"\nenvironment = { A = "b" }\nbuild.command = "make"',
    ),
    component('source.package = "a:b"').replace(
      'source = "a.wasm"\n',
      'source.version = "1.0.0"\nsource.registry = "r.example"\n',
    ),
    http('route = "/..."\ncomponent = "a"\nexecutor = { type = "wagi", argv = "${SCRIPT_NAME}" }'),
    http('route = { private = true }\ncomponent = "a"'),
    http(
      'route = "/s"\nstatic_response = { status_code = 302, headers = { location = "/" }, body = "" }',
    ),
    `${HEAD}[[trigger.cron]]\nanything = [1, { goes = true }]\ncomponents = { x = ["a"], y = { source = "y.wasm" } }\n[component.a]\nsource = "a"\n`,
    dependencies(
      '"a:b" = "^1"\n"c:d/e@1.0.0" = { path = "p", export = "x" }\nplain = { component = "b" }',
      '[component.b]\nsource = "b.wasm"',
    ),
    'spin_version = "1"\nname = "a"\ntrigger = { type = "redis", address = "redis://x" }\n',
  ])('is accepted: %s', (text) => {
    expect(messagesOf(text)).toEqual([])
  })

  it.each<[string, string, string]>([
    [
      'unknown key at the top',
      `${MINIMAL}[what]\n`,
      'unknown field `what`, expected one of `spin_manifest_version`',
    ],
    [
      'unknown key of the application',
      MINIMAL.replace('name', 'nom = 1\nname'),
      'unknown field `nom`',
    ],
    ['unknown key of a component', component('files_ = []'), 'unknown field `files_`'],
    ['no application', 'spin_manifest_version = 2\n[trigger]\n', 'missing field `application`'],
    ['no trigger table', HEAD, 'missing field `trigger`'],
    ['no name', MINIMAL.replace('name = "app"', ''), 'missing field `name`'],
    [
      'a name of another type',
      MINIMAL.replace('"app"', '5'),
      'invalid type: integer `5`, expected a string',
    ],
    ['no source', `${MINIMAL}[component.a]\n`, 'missing field `source`'],
    ['version 2 as text', MINIMAL.replace('= 2', '= "2"'), 'invalid manifest version: "2"'],
    ['version 1 as number', MINIMAL.replace('= 2', '= 1'), 'invalid manifest version: 1'],
    [
      'the old key with version 2',
      MINIMAL.replace('spin_manifest_version', 'spin_version'),
      '`spin_version` is of version 1',
    ],
    [
      'a variable with neither',
      `${MINIMAL}[variables]\nx = {}\n`,
      'must be `required` OR have a `default`',
    ],
    [
      'a variable with both',
      `${MINIMAL}[variables]\nx = { required = true, default = "" }\n`,
      'must be `required` OR have a `default`',
    ],
    [
      'a default that is a number',
      `${MINIMAL}[variables]\nx = { default = 5 }\n`,
      'invalid type: integer `5`, expected a string',
    ],
    [
      'a variable with a hyphen',
      `${MINIMAL}[variables]\na-b = { default = "" }\n`,
      "words must be separated with '_', not '-'",
    ],
    [
      'a variable in upper case',
      `${MINIMAL}[variables]\nX = { default = "" }\n`,
      'Lower-case identifiers must be all lowercase; got "X"',
    ],
    [
      'an unmatched template',
      component('variables = { x = "{{ y" }'),
      "unmatched '{{' in template",
    ],
    ['a bad label', component('key_value_stores = ["b@d"]'), 'expected kebab-case or snake_case'],
    [
      'a source without its digest',
      component('').replace('"a.wasm"', '{ url = "https://a/b" }'),
      'missing field `digest`',
    ],
    [
      'a source with a short digest',
      component('').replace('"a.wasm"', '{ url = "https://a/b", digest = "sha256:00" }'),
      "must be 'sha256:' and 64",
    ],
    [
      'a source that is no http',
      component('').replace(
        '"a.wasm"',
        `{ url = "file:///a", digest = "sha256:${'0'.repeat(64)}" }`,
      ),
      'only http and https',
    ],
    [
      'a package without a version',
      component('').replace('"a.wasm"', '{ package = "a:b" }'),
      'missing field `version`',
    ],
    [
      'a package of no exact version',
      component('').replace('"a.wasm"', '{ package = "a:b", version = "1" }'),
      'invalid semantic version ("1")',
    ],
    [
      'a source of no form',
      component('').replace('"a.wasm"', '5'),
      'expected a path, { url, digest } or { registry, package, version }',
    ],
    ['a trigger that is one table', `${HEAD}[trigger.http]\nroute = "/"\n`, 'expected a sequence'],
    ['a date in a trigger', `${HEAD}[[trigger.x]]\nat = 2020-01-01\n`, 'make it a string'],
    [
      'an endless number in a trigger',
      `${HEAD}[[trigger.x]]\nat = inf\n`,
      'JSON has only finite numbers',
    ],
    [
      'a component that is not there',
      `${HEAD}[[trigger.x]]\ncomponent = "b"\n`,
      'component "b" does not exist',
    ],
    ['http without a route', http('component = "a"'), 'missing field `route`'],
    ['http without a target', http('route = "/"'), 'must specify `component` or `static_response`'],
    [
      'http with two targets',
      http('route = "/"\ncomponent = "a"\nstatic_response = {}'),
      'must not specify both',
    ],
    [
      'http with another key',
      http('route = "/"\ncomponent = "a"\npath = 1'),
      'unknown field `path`',
    ],
    [
      'a route that is not private',
      http('route = { private = false }\ncomponent = "a"'),
      'must have the value `true`',
    ],
    [
      'an unknown executor',
      http('route = "/"\ncomponent = "a"\nexecutor.type = "x"'),
      'expected one of `http`, `wagi`',
    ],
    [
      'a status that is none',
      http('route = "/"\nstatic_response.status_code = 42'),
      'from 100 to 999',
    ],
    [
      'redis without a channel',
      `${HEAD}[[trigger.redis]]\ncomponent = "a"\n[component.a]\nsource = "a"\n`,
      'missing field `channel`',
    ],
    [
      'a host without a scheme',
      component('allowed_outbound_hosts = ["example.com"]'),
      'does not contain a scheme',
    ],
    [
      'the old word for all hosts',
      component('allowed_outbound_hosts = ["insecure:allow-all"]'),
      "use '*://*:*' instead",
    ],
    [
      'a plain dependency without a package',
      dependencies('plain = "1"'),
      'dependency "plain" must specify a package name',
    ],
    [
      'an export for a whole package',
      dependencies('"a:b" = { path = "p", export = "x" }'),
      'is not currently permitted',
    ],
    [
      'rival dependencies',
      dependencies('"a:b@1.0.0" = "1"\n"a:b@1.2.0" = "1"'),
      '"a:b@1.2.0" dependency conflicts with "a:b@1.0.0"',
    ],
    [
      'a name that is none',
      dependencies('"a:b:c" = "1"'),
      'is not a package such as "namespace:name"',
    ],
    [
      'a dependency that is not there',
      dependencies('x = { component = "b" }'),
      'dependency ID b does not exist',
    ],
    [
      'a dependency with resources',
      dependencies(
        'x = { component = "b" }',
        '[component.b]\nsource = "b"\nfiles = ["x"]\nenvironment = { A = "b" }',
      ),
      'because it specifies: environment, files',
    ],
    [
      'both ways to inherit',
      dependencies('"a:b" = { path = "p", inherit_configuration = true }').replace(
        'source',
        'dependencies_inherit_configuration = true\nsource',
      ),
      'mutually exclusive',
    ],
    [
      'unknown things to inherit',
      dependencies('"a:b" = { path = "p", inherit_configuration = ["x"] }'),
      'unknown field `x`, expected one of `ai_models`',
    ],
    [
      'an id of version 1 that can not be kept',
      'spin_version = "1"\nname = "a"\ntrigger.type = "x"\n[[component]]\nid = "a b"\nsource = "a"\ntrigger = {}\n',
      'invalid ID "a b"',
    ],
  ])('is refused: %s', (_, text, message) => {
    expect(messagesOf(text).join('\n')).toContain(message)
  })

  it('is refused with numbers that would become others', () => {
    expect(findingsOf(`${HEAD}[[trigger.x]]\nn = 9007199254740993\n`)).toMatchObject([
      { code: 'toml-syntax', line: 5 },
    ])
  })

  it.each([
    ['x = { a = 1,\n b = 2 }', 'a new line in an inline table', 4],
    ['x = { a = 1, }', 'a comma after the last entry of an inline table', 4],
    ['x = "\\e[0m"', 'the escape \\e', 4],
    ['x = """\na\\x41"""', 'the escape \\x41', 5],
    ['x = 07:30', 'a time without seconds', 4],
    ['x = 1979-05-27T07:32Z', 'a time without seconds', 4],
  ])('says of TOML 1.1 that Spin refuses it: %s', (line, what, at) => {
    const { warnings } = parseAppManifest(newer(line))
    expect(warnings.map(({ code, message, line: row }) => [code, message, row])).toEqual([
      [
        'newer-toml',
        `${what} is of TOML 1.1, and Spin reads TOML 1.0: it refuses this manifest`,
        at,
      ],
    ])
  })

  it.each([
    'x = { a = 1, b = [1,\n 2,\n] }',
    'x = [\n { a = 1 },\n]',
    "x = '\\e \\x41'",
    'x = "\\\\e"',
    'x = 1979-05-27T00:32:00-07:00',
    'x = 07:30:00 # 07:30 { \\e',
    'x = """{\n,}""""',
  ])('warns of nothing that TOML 1.0 has: %s', (line) => {
    expect(parseAppManifest(newer(line)).warnings).toEqual([])
  })

  it('names any model, as services call theirs', () => {
    expect(messagesOf(component('ai_models = ["gpt-oss:20b", "Llama_3", "a/b"]'))).toEqual([])
  })

  it('gives all findings in the order of their places', () => {
    const findings = findingsOf(
      component('files = 1\nkey_value_stores = ["X y"]\n[variables]\nx = {}').replace(
        'name = "app"',
        'name = 1',
      ),
    )
    expect(findings.map(({ code, line }) => [code, line])).toEqual([
      ['wrong-type', 3],
      ['wrong-type', 7],
      ['invalid-label', 8],
      ['variable-default', 10],
    ])
  })

  it('shows the place with a caret', () => {
    const [finding] = findingsOf(component('\tfiles = [ "ä", { source = "b" } ]'))
    expect(finding).toMatchObject({
      path: 'spin.toml',
      line: 7,
      column: 17,
      message: 'missing field `destination`',
    })
    expect(finding?.frame).toBe(
      '  |\n7 | \tfiles = [ "ä", { source = "b" } ]\n  | \t               ^^^^^^^^^^^^^^^^',
    )
  })

  it.each<[string, string, string]>([
    [
      'deprecated-http-hosts',
      component('allowed_http_hosts = ["a.example"]'),
      'allowed_outbound_hosts = ["http://a.example","https://a.example"]',
    ],
    ['deprecated-base', `${HEAD}[application.trigger.http]\nbase = "/"\n[trigger]\n`, 'remove it'],
    [
      'deprecated-base',
      'spin_version = "1"\nname = "a"\ntrigger = { type = "http", base = "/x" }\n',
      'put it before each route',
    ],
    ['unknown-variable', component('variables = { x = "{{ y }}" }'), 'no variable "y" is declared'],
    [
      'wagi-entrypoint',
      http('route = "/"\ncomponent = "a"\nexecutor = { type = "wagi", entrypoint = "x" }'),
      '_start',
    ],
    ['route-slash', http('route = "x"\ncomponent = "a"'), 'begin with "/"'],
  ])('warns of %s', (code, text, message) => {
    const { warnings } = parseAppManifest(text)
    expect(warnings).toMatchObject([{ code, path: 'spin.toml' }])
    expect(warnings[0]?.message).toContain(message)
    expect(warnings[0]?.line).toBeGreaterThan(0)
  })
})

describe('findings', () => {
  // A key that no table knows can be put anywhere; it has to be found where it was put.
  const TABLES = [
    '[application]',
    '[component.a]',
    '[component.a.build]',
    '[component.a.profile.p]',
    '[variables.v]',
    '[component.a.dependencies."x:y"]',
  ]
  const BASE = `${HEAD}[trigger]\n[component.a]\nsource = "a"\n[component.a.build]\ncommand = "c"\n[component.a.profile.p]\n[variables.v]\ndefault = ""\n[component.a.dependencies."x:y"]\npath = "p"\n`

  it('point at the key that they are about', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...TABLES),
        fc.stringMatching(/^zz[a-z]{0,5}$/),
        fc.array(fc.constantFrom('# c\n', '\n', '\t\n'), { maxLength: 4 }),
        fc.constantFrom('', '  ', '\t'),
        fc.constantFrom('1', '"a"', '[1, 2]', '{ a = { b = "}" } }', '"""\na\n"""'),
        (table, key, noise, indent, value) => {
          const text = BASE.replace(
            `${table}\n`,
            `${table}\n${noise.join('')}${indent}${key} = ${value}\n`,
          )
          const findings = findingsOf(text)
          expect(findings).toHaveLength(1)
          const { line, column, message } = findings[0]!
          expect(message).toContain(`unknown field \`${key}\``)
          expect(text.split('\n')[line! - 1]!.slice(column! - 1)).toMatch(new RegExp(`^${key} =`))
        },
      ),
      { numRuns: 200 },
    )
  })

  it('are all that a broken manifest ever gives', () => {
    const sample =
      `${BASE}files = ["a", { source = "b", destination = "c" }]\nallowed_outbound_hosts = ["http://a:1..2"]\n[[trigger.http]]\nroute = "/"\ncomponent = { source = "i" }\n`.replace(
        '[trigger]\n',
        '',
      )
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.nat(sample.length),
            fc.nat(6),
            fc.oneof(
              fc.string({ maxLength: 4 }),
              fc.constantFrom(
                '[',
                ']',
                '{',
                '}',
                '"',
                '=',
                '\n',
                '2020-01-01',
                'true',
                '{}',
                '[]',
                '"x"',
              ),
            ),
          ),
          { minLength: 1, maxLength: 4 },
        ),
        (edits) => {
          const text = edits.reduce(
            (at, [start, length, put]) => at.slice(0, start) + put + at.slice(start + length),
            sample,
          )
          for (const { path, line, column, frame } of findingsOf(text)) {
            expect(path).toBe('spin.toml')
            const written = text.split('\n')[line! - 1]
            expect(written).toBeDefined()
            expect(column! - 1).toBeLessThanOrEqual(written!.length)
            expect(frame).toContain('^')
          }
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('are about the value when whole values change their type', () => {
    const keys = ['name = "app"', 'command = "c"', 'default = ""', 'path = "p"', 'source = "a"']
    fc.assert(
      fc.property(
        fc.constantFrom(...keys),
        fc.constantFrom('1', 'true', '[[1]]', '1.5', '2020-01-01T00:00:00Z', '{ a = 1 }'),
        (key, value) => {
          const name = key.slice(0, key.indexOf(' '))
          const text = BASE.replace(key, `${name} = ${value}`)
          const line = text.split('\n').indexOf(`${name} = ${value}`) + 1
          expect(findingsOf(text).every((finding) => finding.line === line)).toBe(true)
        },
      ),
    )
  })
})
