import { createSecureContext } from 'node:tls'
import { decodeUtf8Lossy } from '../../bytes/text.ts'
import { readFileBounded } from '../../node/files/bounded-file.ts'
import type { ListenOptions } from '../../node/listen/listen.ts'
import { CommandError, UsageError } from '../terminal/io.ts'

/** Enough for a long certificate chain. */
const MAX_PEM_BYTES = 1024 * 1024

/** Reads the certificate and key, and checks them: `listen` would report a bad pair as an address error. */
export async function readTls(
  certPath: string | undefined,
  keyPath: string | undefined,
): Promise<ListenOptions['tls']> {
  if (certPath === undefined && keyPath === undefined) return undefined
  if (certPath === undefined || keyPath === undefined)
    throw new UsageError('--tls-cert and --tls-key must be given together')
  const tls = { cert: await readPem(certPath), key: await readPem(keyPath) }
  try {
    createSecureContext(tls)
  } catch (cause) {
    throw new CommandError(
      `${certPath} and ${keyPath} are not a certificate and its private key, both in PEM format and without a password`,
      { cause },
    )
  }
  return tls
}

async function readPem(path: string): Promise<string> {
  const bytes = await readFileBounded(path, MAX_PEM_BYTES)
  if (bytes === undefined) throw new CommandError(`there is no file ${path}`)
  return decodeUtf8Lossy(bytes)
}
