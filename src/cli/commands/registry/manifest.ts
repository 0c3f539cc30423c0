import type { Command } from 'commander'
import { parseJson } from '../../../bytes/json.ts'
import { readVerified } from '../../../bytes/verified.ts'
import { SpindleError } from '../../../errors.ts'
import { createRepository } from '../../../registry/repository.ts'
import { MAX_MANIFEST_BYTES } from '../../../oci/manifest.ts'
import type { Reference } from '../../../types.ts'
import { referenceArgument } from '../../terminal/arguments.ts'
import { type CliIo, isTerminal } from '../../terminal/io.ts'
import { createOutput } from '../../terminal/output.ts'
import { type RemoteFlags, remoteOptions, responseTimeoutOption } from '../../registry/remote.ts'

const EXAMPLE = `
On a terminal the manifest is pretty-printed. In a pipe its exact bytes are written, so that their digest
is the manifest's. --json prints the manifest together with its descriptor.

Example:
  $ spindle registry manifest ghcr.io/ann/hello:1.0.0 | sha256sum`

export function addManifestCommand(registry: Command, io: CliIo): void {
  registry
    .command('manifest')
    .description('show the manifest of an artifact')
    .argument('<reference>', 'for example ghcr.io/ann/hello:1.0.0', referenceArgument)
    .option('-k, --insecure', 'connect to the registry over plain HTTP')
    .addOption(responseTimeoutOption())
    .option('--json', 'print the result as JSON: { descriptor, manifest }')
    .addHelpText('after', EXAMPLE)
    .action((reference: Reference, flags: RemoteFlags) => runManifest(reference, flags, io))
}

async function runManifest(reference: Reference, flags: RemoteFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const options = { signal: io.signal }
  const repository = createRepository(reference, remoteOptions(io, output, flags, [reference]))
  const descriptor = await repository.resolve(reference.digest ?? reference.tag ?? 'latest', {
    ...options,
    withBytes: true,
  })
  if (descriptor.size > MAX_MANIFEST_BYTES) {
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the manifest of ${reference} has ${descriptor.size} bytes, more than ${MAX_MANIFEST_BYTES}`,
    )
  }
  const bytes = await readVerified(
    await repository.fetch(descriptor, options),
    descriptor,
    io.signal,
  )
  if (flags.json !== true && !isTerminal(io.stdout, io.env)) {
    io.stdout.write(bytes)
    return
  }
  const manifest = parseJson(bytes, `the manifest of ${reference}`)
  output.document(JSON.stringify(manifest, undefined, 2))
  output.json({ descriptor, manifest })
}
