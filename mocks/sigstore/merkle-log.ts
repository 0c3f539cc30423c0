/** A transparency log's tree, with real proofs and signed checkpoints. */
import { formatBase64 } from '../../src/bytes/base64.ts'
import { rawDigestOf } from '../../src/bytes/digest.ts'
import { concat } from '../../src/bytes/stream.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { leafHash, nodeHash } from '../../src/trust/log/merkle.ts'

/** A power of two below `size`. */
function split(size: number): number {
  let half = 1
  while (half * 2 < size) half *= 2
  return half
}

async function rootOf(leaves: readonly Uint8Array[]): Promise<Uint8Array> {
  if (leaves.length === 1) return leaves[0]!
  if (leaves.length === 0) return rawDigestOf(new Uint8Array())
  const half = split(leaves.length)
  return nodeHash(await rootOf(leaves.slice(0, half)), await rootOf(leaves.slice(half)))
}

async function pathTo(index: number, leaves: readonly Uint8Array[]): Promise<Uint8Array[]> {
  if (leaves.length <= 1) return []
  const half = split(leaves.length)
  return index < half
    ? [...(await pathTo(index, leaves.slice(0, half))), await rootOf(leaves.slice(half))]
    : [...(await pathTo(index - half, leaves.slice(half))), await rootOf(leaves.slice(0, half))]
}

export interface InclusionProof {
  readonly index: number
  readonly size: number
  readonly root: Uint8Array
  readonly hashes: readonly Uint8Array[]
  /** Signed note. */
  readonly checkpoint: string
}

export interface MerkleLog {
  /** Appends, then proves. Other entries follow, so that no proof is of the last leaf by habit. */
  append(body: Uint8Array): Promise<InclusionProof>
}

export interface MerkleLogOptions {
  readonly origin: string
  /** Name on the signature line. */
  readonly name: string
  /** First four bytes go onto the signature line. */
  readonly keyId: Uint8Array
  readonly sign: (text: Uint8Array) => Promise<Uint8Array>
  /** Whether a witness signs along, as for logs of version 2. */
  readonly isWitnessed?: boolean
}

/** Stands before the log's: it is nobody's whom readers know. */
export const WITNESS_LINE: string = `\u2014 witness.example ${formatBase64(
  concat([Uint8Array.of(1, 2, 3, 4), new Uint8Array(72)]),
)}\n`

/** Entries of others that are in the tree from the start. */
export const FOREIGN_ENTRIES = 5

export function createMerkleLog({
  origin,
  name,
  keyId,
  sign,
  isWitnessed = false,
}: MerkleLogOptions): MerkleLog {
  const leaves: Uint8Array[] = []
  const grow = async (): Promise<void> => {
    leaves.push(await leafHash(encodeUtf8(`an entry of somebody else, ${leaves.length}`)))
  }
  return {
    async append(body) {
      while (leaves.length < FOREIGN_ENTRIES) await grow()
      const index = leaves.length
      leaves.push(await leafHash(body))
      await grow()
      const root = await rootOf(leaves)
      const text = `${origin}\n${leaves.length}\n${formatBase64(root)}\n`
      const signature = concat([keyId.subarray(0, 4), await sign(encodeUtf8(text))])
      const checkpoint = `${text}\n${isWitnessed ? WITNESS_LINE : ''}\u2014 ${name} ${formatBase64(signature)}\n`
      return { index, size: leaves.length, root, hashes: await pathTo(index, leaves), checkpoint }
    },
  }
}
