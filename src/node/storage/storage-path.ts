/**
 * Keys of a storage as names of files, the same on every file system.
 *
 * - What some system can't have in a name, or folds into another one, is written as `%` and two
 *   hexadecimal digits: capitals first of all, since `Case` and `case` are one file on a Mac.
 * - Files end in `=`, so that there may be a key `a` beside `a/b`.
 * - Names of 80 characters and more go on in a folder ending in `%`: three times that still fits
 *   the 255 bytes that a name may have.
 */

const PIECE = 80
/** A folder for the empty rest of a name that fills its pieces. */
const NOTHING = '~'
const PLAIN = /^[a-z0-9_+@,.-]$/
/** Windows has devices of these names in every folder, whatever follows the dot. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/

/** The location of a key's value, as names from the root. */
export function namesOfKey(key: string): string[] {
  const segments = key.split('/')
  const last = segments.pop() ?? ''
  const pieces = piecesOf(last)
  const file = pieces.pop() ?? ''
  return [...segments.flatMap(folderNames), ...pieces.map(continued), `${encode(file)}=`]
}

/** The folder that has all keys beginning with a prefix that ends in `/`, or is empty. */
export function namesOfFolder(prefix: string): string[] {
  return prefix === '' ? [] : prefix.slice(0, -1).split('/').flatMap(folderNames)
}

interface KeyPart {
  readonly kind: 'file' | 'folder'
  /** What the name adds to the key; with `/` at its end if a segment ends here. */
  readonly text: string
}

/** What a name means; `undefined` for a file that is not of the storage. */
export function parseName(name: string, isFolder: boolean): KeyPart | undefined {
  if (!isFolder) {
    const text = name.endsWith('=') ? decode(name.slice(0, -1)) : undefined
    return text === undefined ? undefined : { kind: 'file', text }
  }
  if (name === NOTHING) return { kind: 'folder', text: '/' }
  const text = decode(name.endsWith('%') ? name.slice(0, -1) : name)
  if (text === undefined || text === '') return undefined
  return { kind: 'folder', text: name.endsWith('%') ? text : `${text}/` }
}

function folderNames(segment: string): string[] {
  const pieces = piecesOf(segment)
  const last = pieces.pop() ?? ''
  return [...pieces.map(continued), last === '' ? NOTHING : encode(last)]
}

function continued(piece: string): string {
  return `${encode(piece)}%`
}

/** All but the last are full; the last may be empty. Equal beginnings are always cut alike. */
function piecesOf(segment: string): string[] {
  const pieces: string[] = []
  for (let at = 0; at <= segment.length; at += PIECE) pieces.push(segment.slice(at, at + PIECE))
  return pieces
}

function encode(piece: string): string {
  const device = DEVICE.test(piece)
  return [...piece]
    .map((char, i) => {
      const edge = i === 0 || i === piece.length - 1
      const escaped = !PLAIN.test(char) || (char === '.' && edge) || (device && i === 0)
      return escaped ? `%${char.charCodeAt(0).toString(16).padStart(2, '0')}` : char
    })
    .join('')
}

/** Only what `encode` writes, so that a key has one file and a file one key. */
function decode(name: string): string | undefined {
  const piece = name.replace(/%([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return encode(piece) === name ? piece : undefined
}
