/** Names of options and keys: what is not known is refused, with the name that was probably meant. */

/** Longest name that is compared and quoted: comparing costs the square of its length. */
const MAX_NAME_CHARS = 64

/**
 * Why a name is refused.
 * @param what Precedes the quoted name, such as "the key".
 */
export function unknownName(what: string, name: PropertyKey, known: readonly string[]): string {
  const text = String(name).slice(0, MAX_NAME_CHARS)
  const meant = closestName(text, known)
  const advice =
    meant === undefined
      ? `known are ${known.map((each) => `\`${each}\``).join(', ')}`
      : `did you mean \`${meant}\`?`
  return `${what} \`${text}\` is not known: ${advice}`
}

/**
 * Refuses an options object with a name that nothing reads: a mistyped one may have been meant to
 * make something stricter. A member that is `undefined` counts as absent.
 * @param where The function, for the message.
 * @throws `TypeError`.
 */
export function assertKnownOptions(
  options: object,
  known: Readonly<Record<string, true>>,
  where: string,
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new TypeError(`the options of ${where} are an object`)
  for (const name of Reflect.ownKeys(options))
    if (
      !Object.hasOwn(known, name) &&
      (options as Record<PropertyKey, unknown>)[name] !== undefined
    )
      throw new TypeError(unknownName(`${where}: the option`, name, Object.keys(known)))
}

function closestName(name: string, known: readonly string[]): string | undefined {
  // With more than a third of it mistyped it is another word.
  let limit = Math.max(1, Math.floor(name.length / 3)) + 1
  let closest: string | undefined
  for (const candidate of known) {
    const [typed, meant] = [name.toLowerCase(), candidate.toLowerCase()]
    const distance = typed.startsWith(meant) ? 1 : editDistance(typed, meant)
    if (distance < limit) [limit, closest] = [distance, candidate]
  }
  return closest
}

/** Levenshtein: the fewest insertions, deletions and replacements of one character. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)),
      )
    row = next
  }
  return row[b.length]!
}
