import { SpindleError } from '../../errors.ts'

/** Literal text, or the name of a variable whose value goes there. */
type TemplatePart = { readonly literal: string } | { readonly variable: string }

/**
 * Splits a template such as `https://{{ host }}/` into its parts.
 * @returns The parts, or what is wrong with it in Spin's words.
 */
export function parseTemplate(
  text: string,
): { readonly parts: readonly TemplatePart[] } | { readonly problem: string } {
  const parts: TemplatePart[] = []
  let at = 0
  for (let open = text.indexOf('{{'); open !== -1; open = text.indexOf('{{', at)) {
    const close = text.indexOf('}}', open + 2)
    if (close === -1) return { problem: "unmatched '{{' in template" }
    if (open > at) parts.push({ literal: text.slice(at, open) })
    parts.push({ variable: text.slice(open + 2, close).trim() })
    at = close + 2
  }
  if (at < text.length) parts.push({ literal: text.slice(at) })
  return { parts }
}

/** Longest text that a template may become, in UTF-16 units: each use of a variable adds its value. */
const MAX_RESOLVED_LENGTH: number = 1024 * 1024

/**
 * Puts values in; `undefined` when a variable has none.
 * @throws `ERR_LIMIT_EXCEEDED` when the text becomes longer than `most`. Default 1 048 576.
 */
export function resolveTemplate(
  parts: readonly TemplatePart[],
  valueOf: (name: string) => string | undefined,
  most: number = MAX_RESOLVED_LENGTH,
): string | undefined {
  let text = ''
  for (const part of parts) {
    const piece = 'literal' in part ? part.literal : valueOf(part.variable)
    if (piece === undefined) return undefined
    text += piece
    if (text.length > most)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `a template becomes longer than ${most} characters: use fewer or shorter variables in it`,
      )
  }
  return text
}
