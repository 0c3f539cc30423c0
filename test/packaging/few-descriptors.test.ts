import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { manifest, notBuilt, root } from './installed.ts'

/** Node itself takes some twenty. */
const OPEN_FILES = 64

/** A built command in a process that may have few open files. */
const limited = (program: string, ...args: string[]): [string, string[]] => [
  'sh',
  [
    '-c',
    `ulimit -n ${OPEN_FILES}; exec "$@"`,
    'sh',
    process.execPath,
    join(root, program),
    ...args,
  ],
]

describe.skipIf(notBuilt !== undefined || process.platform === 'win32')(
  `a process with ${OPEN_FILES} file descriptors`,
  () => {
    it.each(Object.entries(manifest.bin ?? {}))('starts %s', async (_, program) => {
      const { stdout } = await promisify(execFile)(...limited(program, '--version'))
      expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    })
  },
)
