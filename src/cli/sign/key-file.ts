import { resolve } from 'node:path'
import { schemeOfKey } from '../../bytes/pem.ts'
import { importCosignKey } from '../../trust/keys/cosign-key.ts'
import { importPrivateKey } from '../../trust/keys/private-key.ts'
import type { WebKey } from '../../trust/keys/public-key.ts'
import { type CliIo, CommandError, UsageError } from '../terminal/io.ts'
import { ask, readPasswordFromStdin } from '../terminal/prompt.ts'
import { readTextFile } from '../terminal/text-file.ts'

const FROM_ENVIRONMENT = 'env://'

/** The text of a key: of a file, or as cosign writes it `env://NAME`, of an environment variable. */
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

/** A private key: encrypted as cosign does, or plain PEM. */
export async function readPrivateKey(io: CliIo, place: string): Promise<WebKey> {
  const pem = await readKeyText(io, place, 'the private key')
  if (!/-----BEGIN ENCRYPTED (?:COSIGN|SIGSTORE) PRIVATE KEY-----/.test(pem))
    return importPrivateKey(pem)
  return importCosignKey(pem, await readKeyPassword(io, 'Enter password for private key: '))
}

/** The password of a key, from where cosign takes it: `COSIGN_PASSWORD`, the terminal, stdin. */
async function readKeyPassword(io: CliIo, question: string): Promise<string> {
  const given = io.env['COSIGN_PASSWORD']
  if (given !== undefined) return given
  if (io.stdin.isTTY === true) return ask(io, question, { hidden: true })
  // Nothing on stdin is rather a forgotten password than an empty one.
  return readPasswordFromStdin(io, ': set COSIGN_PASSWORD, which may be empty')
}

/** The password of a new key, typed twice where it is typed. */
export async function readNewPassword(io: CliIo): Promise<string> {
  const password = await readKeyPassword(io, 'Enter password for private key: ')
  if (io.env['COSIGN_PASSWORD'] !== undefined || io.stdin.isTTY !== true) return password
  const again = await ask(io, 'Enter password for private key again: ', { hidden: true })
  if (again !== password) throw new CommandError('the two passwords differ; nothing was written')
  return password
}
