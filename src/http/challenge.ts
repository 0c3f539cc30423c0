/** An authentication challenge. */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string
  /** By name, in lower case. */
  readonly parameters: ReadonlyMap<string, string>
}

/** Longest header in characters; longer ones are ignored. No server sends as much. */
const MAX_HEADER_LENGTH = 16 * 1024

/** Whether a `WWW-Authenticate` header has a supported scheme with its required parameters. */
export function isAnswerable(header: string | null): header is string {
  return parseChallenges(header ?? '').some(
    ({ scheme, parameters }) =>
      scheme === 'basic' || (scheme === 'bearer' && parameters.has('realm')),
  )
}

// A token: with `=` and a value it is a parameter, otherwise a scheme.
const PIECE =
  /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))|\s*(?=[\s,]|$))/y

/**
 * Parses all challenges of a `WWW-Authenticate` header.
 *
 * `fetch` joins several headers with commas, which also separate parameters and occur in quoted
 * scopes. A syntax error ends the list.
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
    // The first value counts: a second is a mistake or was injected.
    if (!parameters.has(name.toLowerCase()))
      parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '')
  }
}
