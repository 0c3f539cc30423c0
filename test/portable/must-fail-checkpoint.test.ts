// The cases of the specification that a verifier must refuse, by their numbers: checkpoints of a log.
import { beforeAll, describe, expect, it } from 'vitest'
import { WITNESS_LINE } from '../../mocks/sigstore/merkle-log.ts'
import { formatBase64, parseBase64 } from '../../src/bytes/base64.ts'
import { leafHash } from '../../src/trust/log/merkle.ts'
import { verifyBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { entry, flip, refuse } from './edited-bundles.ts'
import { type Keyless, signKeyless } from './trust-fixture.ts'

let v1: Keyless
beforeAll(async () => {
  v1 = await signKeyless()
})

describe('a bundle is refused', () => {
  it('51: with an invented tree of one leaf', async () => {
    const bundle = v1.bundle()
    const root = formatBase64(await leafHash(parseBase64(entry(bundle).canonicalizedBody)!))
    const [, ...signatures] = (entry(bundle).inclusionProof.checkpoint.envelope as string).split(
      '\n\n',
    )
    const envelope = `rekor.sigstore.test - 1\n1\n${root}\n\n${signatures.join('')}`
    entry(bundle).inclusionProof = {
      logIndex: '0',
      treeSize: '1',
      rootHash: root,
      hashes: [],
      checkpoint: { envelope },
    }
    await refuse(
      verifyBundle(bundle, { digest: v1.artifact.digest }, v1.policy()),
      'TLOG_CHECKPOINT_INVALID',
    )
  })

  it.each<[string, (note: string) => string]>([
    ['55: of another log’s host', (note) => note.replace(/^[^ ]+/, 'rekor.example')],
    ['55: with another size', (note) => note.replace(/\n(\d+)\n/, '\n9\n')],
    [
      '55: with another root',
      (note) => note.replace(/\n[A-Za-z0-9+/=]{44}\n/, `\n${formatBase64(new Uint8Array(32))}\n`),
    ],
    ['55: without an origin', (note) => note.slice(note.indexOf('\n') + 1)],
    ['55: without a size', (note) => note.replace(/\n\d+\n/, '\n')],
    ['55: without a root', (note) => note.replace(/\n[A-Za-z0-9+/=]{44}\n/, '\n')],
    ['55: without a signature', (note) => note.slice(0, note.indexOf('\n\n') + 2)],
    [
      '55: with another key id',
      (note) =>
        note.replace(
          /(rekor\.sigstore\.test )([A-Za-z0-9+/=]+)\n$/,
          (_, name: string, line: string) => `${name}${flip(line, 0)}\n`,
        ),
    ],
    [
      '55: with a bad signature',
      (note) =>
        note.replace(
          /(rekor\.sigstore\.test )([A-Za-z0-9+/=]+)\n$/,
          (_, name: string, line: string) => `${name}${flip(line, 30)}\n`,
        ),
    ],
    [
      '56: that only a witness signed',
      (note) => note.replace(/\u2014 rekor[^\n]+\n$/, WITNESS_LINE),
    ],
    [
      '55: whose signature is under another name',
      (note) => note.replace('\u2014 rekor.sigstore.test', '\u2014 rekor.example'),
    ],
  ])('with a checkpoint %s', async (_, edit) => {
    const bundle = v1.bundle()
    const { checkpoint } = entry(bundle).inclusionProof
    const edited = edit(checkpoint.envelope as string)
    expect(edited).not.toBe(checkpoint.envelope)
    checkpoint.envelope = edited
    await refuse(
      verifyBundle(bundle, { digest: v1.artifact.digest }, v1.policy()),
      'TLOG_CHECKPOINT_INVALID',
    )
  })
})
