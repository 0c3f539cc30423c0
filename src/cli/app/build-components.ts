import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { normalizePath } from '../../bytes/path.ts'
import type { AppManifest } from '../../spin/manifest/app-manifest.ts'
import { CommandError, type CliIo } from '../terminal/io.ts'
import type { Output } from '../terminal/output.ts'

/**
 * Runs the build commands of an application's components, one after another, in a shell as
 * Spin does: the commands are the user's own.
 */
export async function buildComponents(
  manifest: AppManifest,
  directory: string,
  profile: string | undefined,
  io: CliIo,
  output: Output,
): Promise<void> {
  for (const [id, component] of Object.entries(manifest.component ?? {})) {
    const own = profile === undefined ? undefined : component.profile?.[profile]?.build?.command
    const command = own ?? component.build?.command
    if (command === undefined) continue
    const folder = folderOf(id, directory, component.build?.workdir)
    for (const line of typeof command === 'string' ? [command] : command) {
      output.note(`Building component ${id} with \`${line}\``)
      await run(id, line, folder, io)
    }
  }
  output.note('Finished building all Spin components')
}

function folderOf(id: string, directory: string, workdir: string | undefined): string {
  if (workdir === undefined || workdir === '' || workdir === '.') return directory
  const result = normalizePath(workdir)
  if ('problem' in result)
    throw new CommandError(
      `the workdir ${JSON.stringify(workdir)} of component ${id} ${result.problem}`,
    )
  return join(directory, result.path)
}

function run(id: string, command: string, cwd: string, io: CliIo): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, {
      shell: true,
      cwd,
      env: { ...io.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: io.signal,
    })
    // Both to stderr: stdout is for the result.
    child.stdout.on('data', (chunk: Uint8Array) => io.stderr.write(chunk))
    child.stderr.on('data', (chunk: Uint8Array) => io.stderr.write(chunk))
    child.on('error', (cause) =>
      reject(
        new CommandError(
          `build failed: the build command of component ${id} could not be started`,
          { cause },
        ),
      ),
    )
    child.on('close', (code, signal) => {
      if (code === 0) resolve()
      else
        reject(
          new CommandError(
            `build failed: the build command of component ${id} ended with ${signal ?? `exit code ${code}`}`,
          ),
        )
    })
  })
}
