import { resolve } from 'node:path'
import { schemeOfKey } from '../../bytes/pem.ts'
import { importCosignKey } from '../../trust/keys/cosign-key.ts'
import { importPrivateKey } from '../../trust/keys/private-key.ts'
import type { WebKey } from '../../trust/keys/public-key.ts'
import { type CliIo, CommandError, UsageError } from '../terminal/io.ts'
import { ask, readPasswordFromStdin } from '../terminal/prompt.ts'
import { readTextFile } from '../terminal/text-file.ts'

const FROM_ENVIRONMENT = 'env://'

/** The text of a key from a file, or from an environment variable as `env://NAME` (as in cosign). */
export async function readKeyText(io: CliIo, place: string, what: string): Promise<string> {
  if (!place.startsWith(FROM_ENVIRONMENT)) {
    const scheme = schemeOfKey(place)
    if (scheme !== undefined)
      throw new UsageError(
        `${what} cannot be read from ${scheme}: give a file or ${FROM_ENVIRONMENT}NAME; key services are supported in code only, by a Signer of "spindle/sign"`,
      )
    return readTextFile(resolve(io.cwd, place), what)
  }
  const name = place.slice(FROM_ENVIRONMENT.length)
  const text = io.env[name]
  if (text === undefined || text === '')
    throw new CommandError(`the environment variable ${name} with ${what} is not set`)
  return text
}

/** Reads a private key: encrypted in the format of cosign, or plain PEM. */
export async function readPrivateKey(io: CliIo, place: string): Promise<WebKey> {
  const pem = await readKeyText(io, place, 'the private key')
  if (!/-----BEGIN ENCRYPTED (?:COSIGN|SIGSTORE) PRIVATE KEY-----/.test(pem))
    return importPrivateKey(pem)
  return importCosignKey(pem, await readKeyPassword(io, 'Enter password for private key: '))
}

/** Reads the password of a key as cosign does: from `COSIGN_PASSWORD`, the terminal, or stdin. */
async function readKeyPassword(io: CliIo, question: string): Promise<string> {
  const given = io.env['COSIGN_PASSWORD']
  if (given !== undefined) return given
  if (io.stdin.isTTY === true) return ask(io, question, { hidden: true })
  // An empty stdin is more likely a forgotten password than an empty one.
  return readPasswordFromStdin(io, ': set COSIGN_PASSWORD, which may be empty')
}

/** Reads the password of a new key; on a terminal it is entered twice. */
export async function readNewPassword(io: CliIo): Promise<string> {
  const password = await readKeyPassword(io, 'Enter password for private key: ')
  if (io.env['COSIGN_PASSWORD'] !== undefined || io.stdin.isTTY !== true) return password
  const again = await ask(io, 'Enter password for private key again: ', { hidden: true })
  if (again !== password) throw new CommandError('the two passwords differ; nothing was written')
  return password
}
