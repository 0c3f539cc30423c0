import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { AppInvalid } from '../../src/errors.ts'
import { formatLockedApp } from '../../src/spin/lock/format-locked-app.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { lockApp } from '../../src/spin/source/lock-app.ts'
import { parseLockedApp } from '../../src/spin/lock/parse-locked-app.ts'

const MANIFEST = `spin_manifest_version = 2

[application]
name = "übung"
version = "1.0.0"
authors = ["Zoë"]

[variables]
greeting = { default = "Grüß Gott" }

[[trigger.http]]
route = "/:name/..."
component = "a"

[[trigger.http]]
route = "/teapot"
static_response = { status_code = 418, body = "short and stout" }

[component.a]
source = "a.wasm"
files = ["static/**/*", { source = "über", destination = "/u" }]
exclude_files = ["*.map"]
environment = { 10 = "ten", 9 = "nine" }
variables = { greeting = "{{ greeting }}" }
allowed_outbound_hosts = ["https://*.bücher.example", "http://b.spin.internal"]

[component.b]
source = { url = "https://files.example/b.wasm", digest = "DIGEST" }
`

async function tree(manifest: string = MANIFEST): Promise<Record<string, string | Uint8Array>> {
  return {
    'spin.toml': manifest.replace('DIGEST', await digestOf(new Uint8Array(200))),
    'a.wasm': new Uint8Array([0, 97, 115, 109]),
    'static/a.txt': 'x'.repeat(500),
    'static/deep/.dot': '',
    'static/deep/b.map': 'left out',
    'über/straße.txt': 'ß',
  }
}

const fetch = async (): Promise<Response> => new Response(new Uint8Array(200))

describe('an application', () => {
  test('has the same lock in every runtime', async () => {
    const { locked, contents } = await lockApp(await loadApp(await tree(), { fetch }))
    const bytes = formatLockedApp(locked)
    expect(locked.components[0]?.files?.map(({ path }) => path)).toEqual([
      'static/a.txt',
      'static/deep/.dot',
      'u/straße.txt',
    ])
    expect(contents.size).toBe(5)
    expect(await digestOf(bytes)).toBe(
      'sha256:a02112d82cd800cf93cf3149cdd8cbcc3cbeecaa68cc356ba875b76b9d3f4138',
    )
    expect(formatLockedApp(parseLockedApp(bytes))).toEqual(bytes)
  })

  test('has the same findings in every runtime', async () => {
    const broken = MANIFEST.replace('"a.wasm"', '"none.wasm"').replace(
      '"static/**/*"',
      '"stätic", "static/**x"',
    )
    const error: unknown = await loadApp(await tree(broken), { fetch }).catch(
      (caught: unknown) => caught,
    )
    expect(error).toBeInstanceOf(AppInvalid)
    expect(
      (error as AppInvalid).findings.map(({ code, line, column }) => [code, line, column]),
    ).toEqual([
      ['missing-file', 20, 10],
      ['missing-file', 21, 10],
      ['invalid-glob', 21, 20],
    ])
    expect((error as AppInvalid).findings[2]?.frame).toBe(
      '   |\n21 | files = ["stätic", "static/**x", { source = "über", destination = "/u" }]\n   |                    ^^^^^^^^^^^^',
    )
  })
})
