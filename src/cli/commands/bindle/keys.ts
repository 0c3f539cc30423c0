import { type Command, InvalidArgumentError } from 'commander'
import type { InvoiceRole } from '../../../bindle/invoice.ts'
import {
  exportPublicKey,
  formatKeyring,
  generateSecretKey,
  type KeyringEntry,
  mergeKeyrings,
  parseRole,
  verifyKeyLabel,
} from '../../../bindle/keyring.ts'
import { parseBase64 } from '../../../bytes/base64.ts'
import { decodeUtf8Lossy } from '../../../bytes/text.ts'
import {
  type KeyringFlags,
  keyringOption,
  keyringPath,
  readKeyringFile,
  readSecretsFile,
  type SecretsFlags,
  secretsPath,
  writeKeyringFile,
  writeSecretsFile,
} from '../../bindle/key-files.ts'
import {
  addBindleServerOptions,
  bindleClient,
  bindleServer,
  type BindleServerFlags,
} from '../../bindle/bindle-remote.ts'
import { CommandError, type CliIo, UsageError } from '../../terminal/io.ts'
import { createOutput, type Output } from '../../terminal/output.ts'

const EXAMPLE = `
The keyring holds trusted public keys, secret_keys.toml holds your own keys. The "bindle" command uses the
same files.

Example:
  $ spindle bindle keys create "Ann <ann@example.com>"
  $ spindle bindle keys print                    # for the operator of a server
  $ spindle bindle keys fetch                    # add the server's keys to your keyring`

const SECRETS = [
  '-f, --secrets-file <file>',
  "file with your secret keys (default: secret_keys.toml in Bindle's configuration folder)",
] as const
const JSON_FLAG = ['--json', 'print the result as JSON'] as const

const example = (command: string): string => `\nExample:\n  $ spindle bindle ${command}`

export function addKeysCommand(bindle: Command, io: CliIo): void {
  const keys = bindle
    .command('keys')
    .description('manage signing keys and the keyring')
    .addHelpText('after', EXAMPLE)
  keys
    .command('create')
    .description('generate a signing key')
    .argument('<label>', 'owner of the key, for example "Ann <ann@example.com>"')
    .option(
      '--roles <roles>',
      'roles of the key, for example creator,approver (default: creator)',
      rolesOption,
    )
    .option(...SECRETS)
    .addOption(keyringOption())
    .option('--skip-keyring', 'do not add the public key to the keyring')
    .option(...JSON_FLAG)
    .addHelpText('after', example('keys create "Ann <ann@example.com>"'))
    .action((label: string, flags: CreateFlags) => runCreate(label, flags, io))
  keys
    .command('print')
    .description('show the public keys of your signing keys')
    .option(...SECRETS)
    .option('--label <text>', 'show only keys whose label contains this text')
    .option(...JSON_FLAG)
    .addHelpText('after', example('keys print --label Ann'))
    .action((flags: PrintFlags) => runPrint(flags, io))
  keys
    .command('add')
    .description('add a public key to the keyring')
    .argument('<label>', 'owner of the key')
    .argument('<roles>', 'roles of the key, for example creator,approver', rolesOption)
    .argument('<key>', 'public key, the base64 of 32 bytes', keyArgument)
    .addOption(keyringOption())
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      example(
        'keys add "Ann <ann@example.com>" creator A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=',
      ),
    )
    .action((label: string, roles: InvoiceRole[], key: string, flags: AddFlags) =>
      addToKeyring([{ label, roles, key }], flags, io, createOutput(io, flags)),
    )
  const fetch = keys
    .command('fetch')
    .description("add the server's keys to the keyring")
    .addOption(keyringOption())
  addBindleServerOptions(fetch)
    .addHelpText('after', example('keys fetch --bindle-server https://bindle.example/v1'))
    .action((flags: FetchFlags) => runFetch(flags, io))
}

interface JsonFlags {
  readonly json?: boolean
}
interface AddFlags extends KeyringFlags, JsonFlags {}
interface FetchFlags extends KeyringFlags, BindleServerFlags {}
interface CreateFlags extends AddFlags, SecretsFlags {
  readonly roles?: InvoiceRole[]
  readonly skipKeyring?: boolean
}
interface PrintFlags extends JsonFlags, SecretsFlags {
  readonly label?: string
}

function rolesOption(text: string): InvoiceRole[] {
  return text.split(',').map((name) => {
    const role = parseRole(name)
    if (role === undefined)
      throw new InvalidArgumentError('Write creator, approver, host or proxy, separated by commas.')
    return role
  })
}

function keyArgument(text: string): string {
  if (parseBase64(text)?.length !== 32)
    throw new InvalidArgumentError('Write the base64 of 32 bytes, as printed by "keys print".')
  return text
}

async function runCreate(label: string, flags: CreateFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  if (label.trim() === '') throw new UsageError('the label is empty: name the owner of the key')
  const path = secretsPath(flags, io)
  const before = await readSecretsFile(path)
  const entry = await generateSecretKey(label, flags.roles ?? ['creator'])
  await writeSecretsFile(path, { ...before, key: [...before.key, entry] })
  output.line(`Wrote a new key to ${path}, which only you can read`)
  const own = await exportPublicKey(entry)
  if (flags.skipKeyring !== true) await addToKeyring([own], { ...flags, json: false }, io, output)
  output.json(own)
}

async function runPrint(flags: PrintFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const path = secretsPath(flags, io)
  const entries = (await readSecretsFile(path)).key.filter(
    ({ label }) => flags.label === undefined || label.includes(flags.label),
  )
  if (entries.length === 0)
    throw new CommandError(
      `there is no matching key in ${path}: generate one with "spindle bindle keys create"`,
    )
  const keyring = { version: '1.0', key: await Promise.all(entries.map(exportPublicKey)) } as const
  output.document(decodeUtf8Lossy(formatKeyring(keyring)).trimEnd())
  output.json(keyring)
}

async function runFetch(flags: FetchFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  const client = await bindleClient(bindleServer(flags, io), io, output)
  const { key: entries } = await client.keys({ signal: io.signal })
  for (const entry of entries)
    if ((await verifyKeyLabel(entry)) === false)
      throw new CommandError(
        `the signature of the label ${JSON.stringify(entry.label)} was not made by that key of the server`,
      )
  if (entries.length === 0) output.warn(`${client.server.href} publishes no keys`)
  // A server can vouch only for its own role.
  await addToKeyring(
    entries.map((entry) => ({ ...entry, roles: ['host'] })),
    flags,
    io,
    output,
  )
}

async function addToKeyring(
  entries: readonly KeyringEntry[],
  flags: AddFlags,
  io: CliIo,
  output: Output,
): Promise<void> {
  const path = keyringPath(flags, io)
  await writeKeyringFile(
    path,
    mergeKeyrings(await readKeyringFile(path), { version: '1.0', key: entries }),
  )
  for (const { label, roles } of entries)
    output.line(`Added the key of ${label} (${roles.join(', ')}) to ${path}`)
  output.json({ keyring: path, added: entries })
}
