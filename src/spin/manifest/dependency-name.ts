const WORD = '(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*)'
const KEBAB = `${WORD}(?:-${WORD})*`
const NUMBER = '(?:0|[1-9][0-9]*)'
const PART = '[0-9A-Za-z-]+'
// A prerelease's numbers have no leading zeros, a build's may.
const PRE = `(?!0[0-9]+(?:[.+]|$))${PART}`
const VERSION = `${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-${PRE}(?:\\.${PRE})*)?(?:\\+${PART}(?:\\.${PART})*)?`
const NAME = new RegExp(`^${KEBAB}(?::${KEBAB}(?:/${KEBAB})?(?:@${VERSION})?)?$`)

/**
 * Whether a text names an import: `ns:pkg/iface@1.0.0`, parts of it, or a plain kebab name. What
 * `parseDependencyName` says, for those who read locks and bring no reader of manifests along.
 */
export function isDependencyName(text: string): boolean {
  return NAME.test(text)
}
