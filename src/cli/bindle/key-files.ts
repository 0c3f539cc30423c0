import { join, resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  formatKeyring,
  formatSecretKeys,
  type Keyring,
  openSecretKey,
  parseKeyring,
  parseSecretKeys,
  type SecretKeys,
  selectSecretKey,
} from '../../bindle/keyring.ts'
import {
  parseStrategy,
  type VerificationStrategy,
  type VerifyInvoiceOptions,
} from '../../bindle/signature.ts'
import type { Ed25519Key } from '../../bytes/ed25519.ts'
import { readFileBounded, writeFileAtomic } from '../../node/files/bounded-file.ts'
import { nonEmpty } from '../../node/files/environment.ts'
import { bindleFolder } from './bindle-remote.ts'
import { CommandError, type CliIo } from '../terminal/io.ts'

/** Enough for thousands of keys. */
const MAX_KEYS_BYTES = 4 * 1024 * 1024
/** Only their owner may read them. */
const MODE = 0o600

export interface KeyringFlags {
  readonly keyring?: string
}
export interface SecretsFlags {
  readonly secretsFile?: string
}
export interface SignFlags extends SecretsFlags {
  readonly sign?: boolean
  readonly label?: string
}
export interface VerifyFlags extends KeyringFlags {
  readonly verify?: boolean
  readonly strategy?: VerificationStrategy
  readonly keyRoles?: boolean
}

/** @param byDefault The behaviour without `--sign`, for the help. */
export function addSignOptions(command: Command, byDefault: string): Command {
  return command
    .option('--sign', `sign as creator (default: ${byDefault})`)
    .option('--no-sign', 'do not sign')
    .option('--label <text>', 'sign with the first key whose label contains this text')
    .option(
      '--secrets-file <file>',
      "file with your secret keys (default: secret_keys.toml in Bindle's configuration folder)",
    )
}

export function addVerifyOptions(command: Command): Command {
  return command
    .option(
      '--verify',
      'require signatures by keys in the keyring; implied by --keyring, --strategy and --key-roles',
    )
    .option(
      '--strategy <name>',
      'verification strategy (default: GreedyVerification)',
      strategyOption,
    )
    .option('--key-roles', 'accept a key only for the roles that the keyring gives it')
    .addOption(keyringOption())
}

export function keyringOption(): Option {
  return new Option(
    '--keyring <file>',
    "file with trusted public keys (default: BINDLE_KEYRING, else keyring.toml in Bindle's configuration folder)",
  )
}

export function strategyOption(text: string): VerificationStrategy {
  try {
    return parseStrategy(text)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

export function keyringPath(flags: KeyringFlags, io: CliIo): string {
  const named = flags.keyring ?? nonEmpty(io.env['BINDLE_KEYRING'])
  return named === undefined ? join(bindleFolder(io), 'keyring.toml') : resolve(io.cwd, named)
}

export function secretsPath(flags: SecretsFlags, io: CliIo): string {
  return flags.secretsFile === undefined
    ? join(bindleFolder(io), 'secret_keys.toml')
    : resolve(io.cwd, flags.secretsFile)
}

/** Empty when there is no file. */
export async function readKeyringFile(path: string): Promise<Keyring> {
  const bytes = await readFileBounded(path, MAX_KEYS_BYTES)
  return bytes === undefined ? { version: '1.0', key: [] } : parseKeyring(bytes, path)
}

export async function writeKeyringFile(path: string, keyring: Keyring): Promise<void> {
  await writeFileAtomic(path, formatKeyring(keyring), MODE)
}

/** Empty when there is no file. */
export async function readSecretsFile(path: string): Promise<SecretKeys> {
  const bytes = await readFileBounded(path, MAX_KEYS_BYTES)
  return bytes === undefined ? { version: '1.0', key: [] } : parseSecretKeys(bytes, path)
}

export async function writeSecretsFile(path: string, keys: SecretKeys): Promise<void> {
  await writeFileAtomic(path, formatSecretKeys(keys), MODE)
}

/** The `verify` option of the library's verbs; `undefined` if no flag asks for verification. */
export async function verificationOf(
  flags: VerifyFlags,
  io: CliIo,
): Promise<(VerifyInvoiceOptions & { readonly keyring: Keyring }) | undefined> {
  // Each of these flags asks for verification; ignoring one would be unsafe.
  const { verify, strategy, keyRoles, keyring: named } = flags
  const isAsked = verify === true || strategy !== undefined || keyRoles === true
  if (!isAsked && named === undefined) return undefined
  const path = keyringPath(flags, io)
  const keyring = await readKeyringFile(path)
  if (keyring.key.length === 0)
    throw new CommandError(
      `there is no key in ${path}, so no signature can be verified: add keys with "spindle bindle keys fetch" or "keys add"`,
    )
  return {
    keyring,
    ...(flags.strategy === undefined ? {} : { strategy: flags.strategy }),
    honourRoles: flags.keyRoles ?? false,
  }
}

/** Whether a bindle is signed, and with which key. */
export interface SigningOptions {
  /** `undefined` where the command decides. */
  readonly sign: boolean | undefined
  /** The file with secret keys. */
  readonly secrets: string
  /** Text in the label of the key. Default: any. */
  readonly label: string | undefined
}

export function signingOptions(flags: SignFlags, io: CliIo): SigningOptions {
  const { sign, label } = flags
  // A label asks for a signature.
  return {
    sign: sign ?? (label === undefined ? undefined : true),
    secrets: secretsPath(flags, io),
    label,
  }
}

/** The user's key to sign with as creator; `undefined` if there is none and none is required. */
export async function signerOf({
  sign,
  secrets: path,
  label,
}: SigningOptions): Promise<{ readonly key: Ed25519Key; readonly by: string } | undefined> {
  const entry = selectSecretKey(await readSecretsFile(path), 'creator', label)
  if (entry !== undefined) return { key: await openSecretKey(entry), by: entry.label }
  if (sign === true)
    throw new CommandError(
      `there is no creator key${label === undefined ? '' : ` with "${label}" in its label`} in ${path}: generate one with "spindle bindle keys create"`,
    )
  return undefined
}
