import { access, open } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { exportCosignKey } from '../../trust/keys/cosign-key.ts'
import { formatPublicKey, generateKeyPair } from '../../trust/keys/private-key.ts'
import { keyIdOf, loadPublicKey } from '../../trust/keys/public-key.ts'
import { addCosignFlags } from '../sign/cosign-flags.ts'
import { type CliIo, CommandError } from '../terminal/io.ts'
import { readNewPassword } from '../sign/key-file.ts'
import { createOutput } from '../terminal/output.ts'

interface GenerateFlags {
  readonly outputKeyPrefix: string
  readonly json?: boolean
}

const EXAMPLE = `
The private key is encrypted in the format of cosign, so that both programs can sign with it. The password
comes from COSIGN_PASSWORD, which can be empty, from the terminal, or from stdin. Existing files are never
overwritten.

Example:
  $ spindle generate-key-pair --output-key-prefix release`

export function addGenerateKeyPairCommand(program: Command, io: CliIo): void {
  const command = program
    .command('generate-key-pair')
    .description('generate a signing key pair')
    .option(
      '--output-key-prefix <name>',
      'prefix of the file names: NAME.key and NAME.pub',
      'cosign',
    )
    .option('--json', 'print the result as JSON: { privateKey, publicKey, keyId }')
  addCosignFlags(command, 'generate-key-pair')
    .addHelpText('after', EXAMPLE)
    .action((flags: GenerateFlags) => runGenerateKeyPair(flags, io))
}

async function runGenerateKeyPair(flags: GenerateFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const [key, pub] = ['key', 'pub'].map((end) => `${flags.outputKeyPrefix}.${end}`) as [
    string,
    string,
  ]
  // Checked before the password prompt.
  for (const name of [key, pub]) {
    const exists = await access(resolve(io.cwd, name)).then(
      () => true,
      () => false,
    )
    if (exists) throw alreadyExists(name)
  }
  const { privateKey, publicKey } = await generateKeyPair()
  const pem = await formatPublicKey(publicKey)
  const secret = await exportCosignKey(privateKey, await readNewPassword(io))
  await writeNew(resolve(io.cwd, key), secret, 0o600)
  output.note(`Private key written to ${key}`)
  await writeNew(resolve(io.cwd, pub), pem, 0o644)
  output.note(`Public key written to ${pub}`)
  output.json({ privateKey: key, publicKey: pub, keyId: await keyIdOf(await loadPublicKey(pem)) })
}

/** Writes a new file. Existing files are never overwritten: a lost key cannot be recovered. */
async function writeNew(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode).catch((cause: unknown) => {
    if ((cause as { code?: unknown }).code !== 'EEXIST') throw cause
    throw alreadyExists(path)
  })
  try {
    await file.writeFile(text)
  } finally {
    await file.close()
  }
}

function alreadyExists(name: string): CommandError {
  return new CommandError(`${name} already exists; choose another name with --output-key-prefix`)
}
