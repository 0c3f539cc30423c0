import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { lockApp } from '../../src/spin/source/lock-app.ts'
import { readDocument } from './blocks.ts'
import { tableBelow } from './table.ts'

interface Sample {
  readonly application?: string
  readonly trigger?: string
  readonly component?: string
  readonly more?: string
  /** What its values are, so that they are found where they went. */
  readonly marks: readonly string[]
  /** In the lock, where they are others. */
  readonly locked?: readonly string[]
  readonly profile?: string
}

const wasm = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

/** One for each row, by its beginning. */
const SAMPLES: Readonly<Record<string, Sample>> = {
  '`application.name`': {
    application: 'version = "1.2.3"\ndescription = "seen-here"\nauthors = ["seen-too"]',
    marks: ['the-name', '1.2.3', 'seen-here', 'seen-too'],
  },
  '`application.trigger.*`': {
    more: '[application.trigger.http]\nbase = "/seen"',
    marks: ['/seen'],
  },
  '`application.targets`': {
    application: 'targets = ["seen-here"]',
    component: 'targets = [{ path = "seen-too" }]',
    marks: ['seen-here', 'seen-too'],
  },
  '`variables.*`': {
    more: '[variables.seen]\ndefault = "seen-too"\nsecret = true',
    marks: ['"seen"', 'seen-too'],
  },
  '`trigger.http`': {
    trigger: 'route = { private = true }\nexecutor = { type = "wagi" }',
    marks: ['"private":true', '"type":"wagi"'],
  },
  '`trigger.redis`': {
    more: '[[trigger.redis]]\nchannel = "seen"\ncomponent = "c"\n[[trigger.other]]\nseen-too = 1\ncomponent = "c"',
    marks: ['"channel":"seen"', '"seen-too":1'],
  },
  // Content goes into the lock by its digest.
  '`component.*.source`': { marks: ['c.wasm'], locked: [await digestOf(wasm)] },
  '`component.*.files`': {
    component: 'files = ["seen.txt"]',
    marks: ['seen.txt'],
  },
  '`component.*.environment`': {
    component: 'environment = { seen = "here" }',
    marks: ['"seen":"here"'],
  },
  '`component.*.variables`': {
    component: 'variables = { seen = "here" }',
    marks: ['"seen":"here"'],
  },
  '`component.*.allowed_outbound_hosts`': {
    component: 'allowed_outbound_hosts = ["https://seen.test"]',
    marks: ['https://seen.test'],
  },
  '`component.*.key_value_stores`': { component: 'key_value_stores = ["seen"]', marks: ['seen'] },
  '`component.*.sqlite_databases`': {
    component: 'sqlite_databases = ["seen"]\nai_models = ["seen-too"]',
    marks: ['"seen"', 'seen-too'],
  },
  '`component.*.dependencies`': {
    component: 'dependencies_inherit_configuration = true',
    more: '[component.c.dependencies]\n"seen:here/too@1.0.0" = { path = "seen.wasm" }',
    marks: ['seen:here/too@1.0.0'],
  },
  '`component.*.profile.*`': {
    more: '[component.c.profile.seen]\nenvironment = { seen = "here" }',
    profile: 'seen',
    marks: ['"seen":"here"'],
  },
  '`component.*.build`': { more: '[component.c.build]\ncommand = "seen"', marks: ['seen'] },
  '`*.tool.*`': {
    more: '[application.tool.one]\na = "seen"\n[component.c.tool.one]\na = "seen-too"',
    marks: ['seen', 'seen-too'],
  },
}

async function read(sample: Sample): Promise<{ manifest: string; locked: string }> {
  const app = await loadApp(
    {
      'spin.toml': `spin_manifest_version = 2
[application]
name = "the-name"
${sample.application ?? ''}
[[trigger.http]]
component = "c"
${sample.trigger ?? 'route = "/..."'}
[component.c]
source = "c.wasm"
${sample.component ?? ''}
${sample.more ?? ''}
`,
      'c.wasm': wasm,
      'seen.wasm': wasm,
      'seen.txt': 'text',
    },
    sample.profile === undefined ? {} : { profile: sample.profile },
  )
  const { locked } = await lockApp(app)
  return { manifest: JSON.stringify(app.manifest), locked: JSON.stringify(locked) }
}

describe("the README's table of the manifest", () => {
  const { rows } = tableBelow(readDocument('README.md'), '### Manifest')

  it.each(rows.map((row) => [row['field'] ?? '', row] as const))(
    'says of %s what becomes of it',
    async (field, row) => {
      const name = Object.keys(SAMPLES).find((start) => field.startsWith(start))
      const sample = SAMPLES[name!]!
      const { manifest, locked } = await read(sample)
      for (const mark of sample.marks)
        expect(row['read'], mark).toBe(manifest.includes(mark) ? '●' : '–')
      for (const mark of sample.locked ?? sample.marks)
        expect(row['locked'], mark).toBe(locked.includes(mark) ? '●' : '–')
    },
  )
})
