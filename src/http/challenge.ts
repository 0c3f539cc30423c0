/** One way a server offers to be convinced. `scheme` and parameter names are lower case. */
export interface Challenge {
  readonly scheme: string
  readonly parameters: ReadonlyMap<string, string>
}

/** More than any server sends; a longer header is not worth reading. */
const MAX_HEADER_LENGTH = 16 * 1024

/** Whether a `WWW-Authenticate` header offers a scheme that is known here, with what it needs. */
export function isAnswerable(header: string | null): header is string {
  return parseChallenges(header ?? '').some(
    ({ scheme, parameters }) =>
      scheme === 'basic' || (scheme === 'bearer' && parameters.has('realm')),
  )
}

// A token, then what tells its role: `=` and a value for a parameter, else it names a scheme.
const PIECE =
  /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))|\s*(?=[\s,]|$))/y

/**
 * All challenges of a `WWW-Authenticate` header.
 *
 * `fetch` joins several headers with commas, which also part parameters and stand inside quoted
 * scopes. What can't be read ends the list.
 * @see RFC 9110, 11.6.1
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  if (header.length > MAX_HEADER_LENGTH) return challenges
  PIECE.lastIndex = 0
  for (;;) {
    const piece = PIECE.exec(header)
    if (piece === null) return challenges
    const [, name = '', quoted, plain] = piece
    if (quoted === undefined && plain === undefined) {
      challenges.push({ scheme: name.toLowerCase(), parameters: new Map() })
      continue
    }
    const parameters = challenges.at(-1)?.parameters
    if (parameters === undefined) return challenges
    // The first one counts: a second is a mistake, or somebody's who could add to the header.
    if (!parameters.has(name.toLowerCase()))
      parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '')
  }
}
