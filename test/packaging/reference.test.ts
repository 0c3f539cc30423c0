import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { notBuilt, root } from './installed.ts'

describe.skipIf(notBuilt !== undefined)('the API reference', () => {
  it('builds without a warning: all types that are reached are exported, all links lead somewhere', () => {
    const said = () =>
      execFileSync(
        join(root, 'node_modules/.bin/typedoc'),
        ['--options', 'docs/typedoc.mjs', '--emit', 'none'],
        { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      )
    expect(said).not.toThrow()
  })
})
