// The 91 cases that a verifier must refuse, and what must hold besides: none may get lost, be renamed in
// silence, or be left out. vitest itself says which tests there are, and lists none that is skipped or to do.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { beforeAll, expect, it } from 'vitest'
import { MUST_FAIL, MUST_PASS } from './must-fail-cases.ts'

/** Where they are, in every lane but for the keys. Other projects' vectors are not needed for any. */
const FILES = ['must-fail-', 'must-hold-', 'tuf.test', 'signature-places'].map(
  (name) => `test/portable/${name}`,
)

/** Names of the tests that run, without those of the groups that they are in. */
let names: string[]
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spindle-names-'))
  const list = join(folder, 'tests.json')
  const args = ['list', '--config', 'test/vitest.config.ts', '--project', 'node', `--json=${list}`]
  try {
    const vitest = [join('node_modules', 'vitest', 'vitest.mjs'), ...args]
    await promisify(execFile)(process.execPath, [...vitest, ...FILES, 'test/trust/keys'])
    const listed = JSON.parse(await readFile(list, 'utf8')) as { readonly name: string }[]
    names = listed.map(({ name }) => name.split(' > ').at(-1)!)
  } finally {
    await rm(folder, { recursive: true })
  }
}, 120_000)

it('all 91 cases are tests by number and name, and no test has a number that is not listed', () => {
  expect(MUST_FAIL.map(({ number }) => number)).toEqual(Array.from({ length: 91 }, (_, i) => i + 1))
  const listed = MUST_FAIL.flatMap(({ number, tests }) => tests.map((name) => `${number}: ${name}`))
  const numbered = names.flatMap((name) => /(?:^|\s)(\d+: .+)$/.exec(name)?.[1] ?? [])
  expect([...new Set(numbered)].sort()).toEqual([...listed].sort())
  expect(MUST_FAIL.filter(({ tests }) => tests.length === 0)).toEqual([])
})

it.each(Object.entries(MUST_PASS))('what must hold is a test: %s', (_, tests) => {
  expect(tests.filter((name) => !names.includes(name))).toEqual([])
})
