/** Text that a page puts into code or a command line for somebody to copy. */

/**
 * A text as one JavaScript string literal, also inside of a `<script>`: what is not printable ASCII,
 * and what could end the string, its line or the element, is written as an escape.
 */
export function stringLiteral(text: string): string {
  const inside = text.replace(
    /[^\x20-\x7e]|['"`\\<>&]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `'${inside}'`
}

/** A text as one argument for a POSIX shell. */
export function shellArgument(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
