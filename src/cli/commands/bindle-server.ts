import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import {
  generateSecretKey,
  type Keyring,
  openSecretKey,
  type SecretKeyEntry,
  selectSecretKey,
} from '../../bindle/keyring.ts'
import type { VerificationStrategy } from '../../bindle/signature.ts'
import { MAX_TOML_KEYS } from '../../bytes/toml.ts'
import { authorizeBindleBasic } from '../../serve/bindle/authorize.ts'
import { createBindleHandler } from '../../serve/bindle/handler.ts'
import { dataFolder, nonEmpty } from '../../node/files/environment.ts'
import { createFileStorage } from '../../node/storage/file-storage.ts'
import { createNodeHasher } from '../../node/files/hasher.ts'
import {
  type Address,
  addressOption,
  countOption,
  sizeOption,
  variableOf,
} from '../terminal/arguments.ts'
import {
  readKeyringFile,
  readSecretsFile,
  strategyOption,
  writeSecretsFile,
} from '../bindle/key-files.ts'
import { bindleFolder } from '../bindle/bindle-remote.ts'
import { CommandError, type CliIo, UsageError } from '../terminal/io.ts'
import { refuseIdleFlags } from '../terminal/limit-flags.ts'
import { addListenOptions, type ListenFlags } from '../serve/listen-flags.ts'
import { createOutput, type Output } from '../terminal/output.ts'
import {
  type AccessFlags,
  addAccessOptions,
  readLogins,
  warnOfAccess,
} from '../serve/server-access.ts'
import { serveUntilStopped } from '../serve/serve-until-stopped.ts'
import { readTls } from '../serve/tls-files.ts'

interface ServerFlags extends AccessFlags, ListenFlags {
  readonly address?: Address
  readonly directory?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly keyring?: string
  readonly keyRoles?: boolean
  readonly signingKeys?: string
  readonly strategy?: VerificationStrategy
  readonly htpasswdFile?: string
  readonly unauthenticated?: boolean
  readonly maxInvoiceKeys?: number
  readonly maxParcelSize?: number
  readonly readOnly?: boolean
  readonly json?: boolean
}

const DEFAULT_ADDRESS: Address = { host: '127.0.0.1', port: 8080 }

const EXAMPLE = `
Also installed as bindle-server, with the flags and variables of Bindle's own server, except those for a
settings file, OIDC and an embedded database. The layout of its folder is different. Accepted invoices
are signed as host, with a key that is generated if there is none. Without --keyring, invoices are
accepted from everyone, signed or not, as Spin needs it; with --keyring, only from signers in it.

Example:
  $ spindle bindle-server --address 127.0.0.1:8000 --directory . --unauthenticated
  $ BINDLE_URL=http://127.0.0.1:8000/v1 spindle bindle push --file spin.toml`

export function addBindleServerCommand(program: Command, io: CliIo): void {
  const server = program
    .command('bindle-server')
    .description('run a Bindle server')
    .option(
      '-i, --address <host:port>',
      'address to listen on; port 0 picks a free port (default: BINDLE_IP_ADDRESS_PORT, else 127.0.0.1:8080)',
      addressOption,
    )
    .option(
      '-d, --directory <folder>',
      'folder for bindles (default: BINDLE_DIRECTORY, else bindle in the data folder)',
    )
    .option(
      '-c, --tls-cert <file>',
      'serve HTTPS with this certificate, in PEM format (default: BINDLE_TLS_CERT)',
    )
    .option(
      '-k, --tls-key <file>',
      'private key of the certificate, in PEM format (default: BINDLE_TLS_KEY)',
    )
    .option(
      '-r, --keyring <file>',
      'accept only invoices signed by keys in this file (default: accept all invoices)',
    )
    .option(
      '--strategy <name>',
      'verification strategy (default: BINDLE_VERIFICATION_STRATEGY, else GreedyVerification)',
      strategyOption,
    )
    .option('--key-roles', 'accept a key only for the roles that the keyring gives it')
    .option(
      '--signing-keys <file>',
      "file with keys to sign with as host (default: BINDLE_SIGNING_KEYS, else signing-keys.toml in Bindle's configuration folder)",
    )
    .option('--htpasswd-file <file>', 'users who can push and yank (default: BINDLE_HTPASSWD_FILE)')
    .option('--unauthenticated', 'let everyone push and yank')
    .option(
      '--max-invoice-keys <count>',
      `maximum keys in an invoice, about 14 per parcel (default: ${MAX_TOML_KEYS})`,
      countOption,
    )
    .option('--max-parcel-size <bytes>', 'maximum size of a parcel (default: 1GiB)', sizeOption)
  addListenOptions(addAccessOptions(server))
    .option('--read-only', 'refuse pushes and yanks')
    .option('--json', 'print the result as JSON: { url }')
    .addHelpText('after', EXAMPLE)
    .action((flags: ServerFlags) => runServer(flags, io))
}

async function runServer(flags: ServerFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  if (flags.readOnly === true)
    refuseIdleFlags(flags, ['maxParcelSize'], '--read-only, which accepts no parcels')
  const address =
    flags.address ?? variableOf(io, 'BINDLE_IP_ADDRESS_PORT', addressOption) ?? DEFAULT_ADDRESS
  const path = (given: string | undefined, name: string): string | undefined => {
    const text = given ?? nonEmpty(io.env[name])
    return text === undefined ? undefined : resolve(io.cwd, text)
  }
  const users = path(flags.htpasswdFile, 'BINDLE_HTPASSWD_FILE')
  if ((users === undefined) !== (flags.unauthenticated === true))
    throw new UsageError(
      'choose who can push: the users in --htpasswd-file FILE, or everyone with --unauthenticated',
    )
  const authenticate = await readLogins(users, flags)
  const tls = await readTls(
    path(flags.tlsCert, 'BINDLE_TLS_CERT'),
    path(flags.tlsKey, 'BINDLE_TLS_KEY'),
  )
  const directory = path(flags.directory, 'BINDLE_DIRECTORY') ?? join(dataFolder(io), 'bindle')
  const strategy = flags.strategy ?? variableOf(io, 'BINDLE_VERIFICATION_STRATEGY', strategyOption)
  if (flags.keyring === undefined && (strategy !== undefined || flags.keyRoles === true))
    throw new UsageError(
      '--strategy, BINDLE_VERIFICATION_STRATEGY and --key-roles need --keyring FILE',
    )
  const handler = createBindleHandler({
    storage: createFileStorage(directory),
    createHasher: createNodeHasher,
    hostKey: await hostKeyOf(
      path(flags.signingKeys, 'BINDLE_SIGNING_KEYS') ?? join(bindleFolder(io), 'signing-keys.toml'),
      output,
    ),
    readOnly: flags.readOnly ?? false,
    onError: (error) => output.warn(error instanceof Error ? error.message : String(error)),
    honourRoles: flags.keyRoles ?? false,
    ...(flags.keyring === undefined
      ? {}
      : { keyring: await keyringOf(resolve(io.cwd, flags.keyring)) }),
    ...(strategy === undefined ? {} : { strategy }),
    ...(flags.maxBufferedSize === undefined ? {} : { maxBufferedBytes: flags.maxBufferedSize }),
    ...(flags.maxInvoiceKeys === undefined ? {} : { maxInvoiceKeys: flags.maxInvoiceKeys }),
    ...(flags.maxParcelSize === undefined ? {} : { maxParcelBytes: flags.maxParcelSize }),
    ...(authenticate === undefined ? {} : { authorize: authorizeBindleBasic(authenticate) }),
    ...(flags.cors === undefined ? {} : { cors: { origins: flags.cors } }),
  })
  const where = { ...address, tls, allowedHosts: flags.allowHost, limits: flags }
  await serveUntilStopped(handler, where, io, (base) => {
    const url = `${base}/v1`
    warnOfAccess(output, url, {
      address,
      hasLogins: users !== undefined,
      hasTls: tls !== undefined,
      readOnly: flags.readOnly === true,
    })
    output.line(`Serving a Bindle server on ${url}, with bindles in ${directory}`)
    output.json({ url })
  })
}

async function keyringOf(path: string): Promise<Keyring> {
  const keyring = await readKeyringFile(path)
  if (keyring.key.length === 0)
    throw new CommandError(`there is no key in ${path}, so every push would be refused`)
  return keyring
}

/** Loads the host key, or generates it at the first start as Bindle's own server does. */
async function hostKeyOf(path: string, output: Output): Promise<SecretKeyEntry> {
  const keys = await readSecretsFile(path)
  const found = selectSecretKey(keys, 'host')
  if (found === undefined) {
    const made = await generateSecretKey('Default host key', ['host'])
    await writeSecretsFile(path, { ...keys, key: [...keys.key, made] })
    output.note(`Wrote a new signing key to ${path}`)
    return made
  }
  // Report a broken key now, not at the first push.
  await openSecretKey(found)
  return found
}
