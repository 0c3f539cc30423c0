import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { describe, expect, it } from 'vitest'
import { installPackage, manifest, notBuilt, root } from './installed.ts'

describe.skipIf(notBuilt !== undefined)('the package', () => {
  const installed = installPackage()

  it('is clean to publint --strict', async () => {
    const { messages, pkg } = await publint({
      pkgDir: join(installed.directory, 'node_modules', manifest.name),
      pack: false,
      strict: true,
    })
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
  })

  it('is clean to attw, as a package of ES modules', () => {
    const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    const { status, stdout } = spawnSync(
      process.execPath,
      [
        attw,
        installed.tarball,
        '--profile',
        'esm-only',
        '--no-color',
        '--no-emoji',
        '--format',
        'ascii',
      ],
      { encoding: 'utf8' },
    )
    expect(status, stdout).toBe(0)
  })
})
