import { describe, expect, it } from 'vitest'
import { createSession } from './session.ts'
import { REF, writeApp } from './small-app.ts'

describe('a flag without effect on what a command was given is refused', () => {
  const wasm = 'app/main.wasm'
  it.each([
    ['--max-files', ['up', wasm, '--max-files', '5']],
    ['--max-keys', ['up', wasm, '--max-keys', '5']],
    ['--concurrency', ['up', wasm, '--concurrency', '5']],
    ['--response-timeout', ['up', wasm, '--response-timeout', '5']],
    ['--profile', ['up', wasm, '--profile', 'debug']],
    ['--max-keys', ['up', 'app', '--max-keys', '5']],
    ['--min-rate', ['up', 'app', '--min-rate', '5']],
    ['--min-rate', ['up', wasm, '--min-rate', '5']],
    ['--concurrency', ['up', 'app', '--concurrency', '5']],
    ['--build', ['up', REF, '--build']],
    ['--concurrency', ['up', '-b', 'a/1.0.0', '--concurrency', '5']],
    ['--max-files', ['build-worker', wasm, '--max-files', '5']],
    ['--max-keys', ['build-worker', 'app', '--max-keys', '5']],
    ['--max-files', ['registry', 'pull', REF, '--oci-layout', 'x', '--max-files', '5']],
    ['--max-files', ['bindle', 'pull', 'a/1.0.0', '--export', 'x', '--max-files', '5']],
    ['--max-size', ['bindle', 'migrate', 'a/1.0.0', REF, '--max-size', '5']],
    ['--profile', ['bindle', 'push', 'a/1.0.0', '--profile', 'debug']],
    ['--max-uploads', ['serve', '--read-only', '--max-uploads', '5']],
    ['--max-upload-size', ['serve', '--read-only', '--max-upload-size', '5']],
    ['--max-blob-size', ['serve', '--read-only', '--max-blob-size', '5']],
    ['--max-manifest-size', ['serve', '--read-only', '--max-manifest-size', '5']],
    ['--max-parcel-size', ['bindle-server', '--read-only', '--max-parcel-size', '5']],
  ])('%s: %j', async (flag, args) => {
    const session = createSession(() => {
      throw new Error('nothing is asked')
    })
    session.env['BINDLE_URL'] = 'http://localhost:1/v1'
    writeApp(session)
    const command =
      args[0] === 'up' && !args[1]?.startsWith('-') ? ['up', '-f', ...args.slice(1)] : args
    const run = await session.run(...command)
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toContain(flag)
  })
})
