import { expect, it } from 'vitest'
import { AppInvalid } from '../../src/errors.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { readDocument } from './blocks.ts'
import { tableBelow } from './table.ts'

/** The keys that a table of the manifest may have, as the finding about one that it may not says. */
async function keysOf(table: string): Promise<readonly string[]> {
  const error = await loadApp({
    'spin.toml': `spin_manifest_version = 2\napplication = { name = "a" }\n[trigger]\n${table}\nno_such_key = 1\n`,
  }).catch((reason: unknown) => reason)
  if (!(error instanceof AppInvalid)) throw new Error('nothing is wrong with it')
  const { message } = error.findings.find(({ code }) => code === 'unknown-key')!
  return [...message.matchAll(/`(\w+)`/g)].map(([, key = '']) => key).slice(1)
}

it("the README's table of the manifest has every field of components and variables", async () => {
  const { rows } = tableBelow(readDocument('README.md'), '### Manifest')
  const named = (prefix: string): string[] =>
    rows
      .map(({ field = '' }) => field)
      .filter((field) => field.includes(`\`${prefix}`))
      .flatMap((field) =>
        [...field.matchAll(/`([\w.*]+)`/g)].map(([, name = '']) => name.replace(prefix, '')),
      )
  const component = await keysOf('[component.a]\nsource = "a.wasm"')
  expect(component.length).toBeGreaterThan(10)
  for (const key of component.filter((key) => key !== 'tool' && key !== 'description'))
    expect(
      named('component.*.').map((name) => name.split('.')[0]),
      key,
    ).toContain(key)
  for (const key of await keysOf('[variables.a]\ndefault = "x"'))
    expect(named('variables.*'), key).toContain(key)
})
