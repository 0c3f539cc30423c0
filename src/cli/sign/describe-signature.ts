import type { StoredSignature } from '../../trust/cosign/stored-signatures.ts'

/** One signature in words. */
export function describeSignature({ signer, times, logEntries }: StoredSignature): string {
  const who =
    signer.kind === 'key'
      ? `the key ${signer.keyId}`
      : `${signer.identity}, vouched for by ${signer.issuer ?? 'nobody'}`
  const when = times.map(({ at, uri }) => `, at ${at.toISOString()} (${uri})`)
  const where = logEntries.map(({ log, index }) => `, entry ${index} of ${log}`)
  return `Signed by ${who}${when.join('')}${where.join('')}`
}

/** What was checked, in cosign's words. */
export function describeChecks(signatures: readonly StoredSignature[]): string[] {
  const isLogged = signatures.every(({ logEntries }) => logEntries.length > 0)
  const isKey = signatures.every(({ signer }) => signer.kind === 'key')
  return [
    'The following checks were performed on each of these signatures:',
    '  - The cosign claims were validated',
    ...(isLogged
      ? ['  - Existence of the claims in the transparency log was verified offline']
      : []),
    isKey
      ? '  - The signatures were verified against the specified public key'
      : '  - The code-signing certificate was verified using trusted certificate authority certificates',
  ]
}
