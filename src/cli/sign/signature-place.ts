import { parseReference } from '../../oci/reference.ts'
import type { Reference } from '../../types.ts'
import { type CliIo, UsageError } from '../terminal/io.ts'

/** Another repository for signatures, as cosign knows it; `undefined` when they are beside the artifact. */
export function signaturesOf({ env }: CliIo): Reference | undefined {
  const text = env['COSIGN_REPOSITORY']
  if (text === undefined || text === '') return undefined
  try {
    return parseReference(text, { defaultRegistry: 'docker.io', defaultTag: 'latest' })
  } catch (cause) {
    throw new UsageError(`COSIGN_REPOSITORY names no repository: ${(cause as Error).message}`)
  }
}
