import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { onTestFinished } from 'vitest'

/** A user's machine of its own: a home folder, and a folder for programs that comes first on PATH. */
export interface Machine {
  readonly home: string
  readonly env: Record<string, string>
  readonly options: {
    readonly env: Record<string, string>
    readonly home: string
    readonly platform: string
  }
  path(name: string): string
  /** Writes a file below home; objects as JSON. */
  write(name: string, content: string | Uint8Array | object): string
  /** A credential helper that is a shell script. */
  helper(name: string, script: string): void
}

export function createMachine(platform = 'linux'): Machine {
  const home = mkdtempSync(join(tmpdir(), 'spindle-home-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  const bin = join(home, 'bin')
  mkdirSync(bin)
  const env: Record<string, string> = {
    HOME: home,
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    XDG_RUNTIME_DIR: join(home, 'run'),
  }
  const machine: Machine = {
    home,
    env,
    options: { env, home, platform },
    path: (name) => join(home, name),
    write: (name, content) => {
      const path = join(home, name)
      mkdirSync(dirname(path), { recursive: true })
      const isText = typeof content === 'string' || content instanceof Uint8Array
      writeFileSync(path, isText ? content : JSON.stringify(content))
      return path
    },
    helper: (name, script) => {
      const path = join(bin, `docker-credential-${name}`)
      writeFileSync(path, `#!/bin/sh\n${script}\n`)
      chmodSync(path, 0o755)
    },
  }
  return machine
}

export function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
