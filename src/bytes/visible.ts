/**
 * Characters that a reader of a text does not see: controls, line and paragraph separators,
 * direction marks, invisible characters, tags, lone surrogates. The two joiners are not among them:
 * emoji and several scripts need them.
 */
const UNSEEN =
  /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029\u200b\u2060-\u2064\ufeff\u{e0000}-\u{e007f}]/gu
const UNSEEN_RUN = new RegExp(`${UNSEEN.source}+`, 'gu')

/**
 * Untrusted text for one line of a message: unseen characters become escapes such as `\u001b`.
 * JSON text keeps its meaning, as JSON has the same escapes.
 */
export function escapeUnseen(text: string): string {
  return text.replace(UNSEEN, escapeUnits)
}

/** Like `escapeUnseen`, but each run of unseen characters becomes a space. */
export function blankUnseen(text: string): string {
  return text.replace(UNSEEN_RUN, ' ')
}

/** By UTF-16 unit: JSON has no escapes for larger characters. */
function escapeUnits(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('')
}
