import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { manifest, root, specifierOf } from './installed.ts'

describe('documents', () => {
  it('name subpaths that there are', () => {
    const known = new Set(Object.keys(manifest.exports).map(specifierOf))
    const paths = execFileSync('git', ['ls-files', 'src', 'mocks', 'examples', '*.md'], {
      cwd: root,
      encoding: 'utf8',
    })
    const wrong = paths
      .split('\n')
      .filter((path) => /\.(?:md|ts|html|mjs)$/.test(path))
      .flatMap((path) =>
        [
          ...readFileSync(join(root, path), 'utf8').matchAll(
            /[`'"](spindle\/[a-z-]+(?:\.json)?)[`'"]/g,
          ),
        ]
          .map((match) => match[1] ?? '')
          .filter((specifier) => !known.has(specifier))
          .map((specifier) => `${path}: ${specifier}`),
      )
    expect([...new Set(wrong)]).toEqual([])
  })
})
