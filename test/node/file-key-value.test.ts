import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createFileKeyValue } from '../../src/node/index.ts'
import { createAppHandler } from '../../src/run/index.ts'
import { bytesOfFile, pulledApp } from '../run/fixtures.ts'

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'spindle-values-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

it.each(['', '.', '../up', 'ä/😀', 'x'.repeat(1000), '\0'])('keeps a value under %j', (key) => {
  const folder = makeFolder()
  const store = createFileKeyValue(folder)
  expect(store.get(key)).toBeUndefined()
  store.set(key, bytes('one'))
  store.set(key, bytes('two'))
  expect(createFileKeyValue(folder).get(key)).toEqual(bytes('two'))
  expect(store.keys()).toEqual([key])
  expect(readdirSync(folder)).toHaveLength(1)
  store.delete(key)
  store.delete(key)
  expect(store.keys()).toEqual([])
})

it('says so when a file of it is broken, and takes none that is not its own', () => {
  const folder = makeFolder()
  const store = createFileKeyValue(folder)
  writeFileSync(join(folder, 'notes.txt'), 'mine')
  expect(store.keys()).toEqual([])
  store.set('a', bytes('1'))
  writeFileSync(join(folder, readdirSync(folder).find((name) => name.length === 64) ?? ''), 'xx')
  expect(() => store.get('a')).toThrow(expect.objectContaining({ code: 'ERR_CONTENT_INVALID' }))
})

it('keeps what a component stores from one process to the next', async () => {
  const folder = makeFolder()
  const app = pulledApp(
    {
      guest: {
        wasm: bytesOfFile('test/guests/proxy.wasm'),
        metadata: { key_value_stores: ['default'] },
      },
    },
    [{ route: '/...', component: 'guest' }],
  )
  for (const count of [1, 2]) {
    const handler = await createAppHandler(app, {
      jspi: false,
      keyValue: () => createFileKeyValue(folder),
    })
    const response = await handler.fetch(new Request('http://app.example/kv/default'))
    expect(await response.text()).toBe(`count ${count}\n`)
  }
})
