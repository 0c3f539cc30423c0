/**
 * Why a text is not an id of words split by `delimiter`; `undefined` when it is one.
 * Each word begins with a letter and is all lower or all upper case. In Spin's own words.
 */
function wordsProblem(id: string, delimiter: '-' | '_', isLowerOnly: boolean): string | undefined {
  if (id === '') return 'empty'
  const wrong = delimiter === '-' ? '_' : '-'
  if (id.includes(wrong)) return `words must be separated with '${delimiter}', not '${wrong}'`
  for (const word of id.split(delimiter)) {
    const problem = wordProblem(word, delimiter)
    if (problem !== undefined) return problem
    if (isLowerOnly && /^[A-Z]/.test(word)) {
      return `Lower-case identifiers must be all lowercase; got ${JSON.stringify(id)}`
    }
  }
  return undefined
}

function wordProblem(word: string, delimiter: string): string | undefined {
  const [first, ...rest] = word
  if (first === undefined) return `'${delimiter}'-separated words must not be empty`
  if (!/^[A-Za-z]$/.test(first)) {
    return `'${delimiter}'-separated words must start with an ASCII letter; got ${quoteChar(first)}`
  }
  const isUpper = /^[A-Z]$/.test(first)
  for (const char of rest) {
    if (/^[0-9]$/.test(char)) continue
    if (!/^[A-Za-z]$/.test(char)) {
      return `'${delimiter}'-separated words may only contain alphanumeric ASCII; got ${quoteChar(char)}`
    }
    if (/^[A-Z]$/.test(char) !== isUpper) {
      return `'${delimiter}'-separated words must be all lowercase or all UPPERCASE; got ${JSON.stringify(word)}`
    }
  }
  return undefined
}

function quoteChar(char: string): string {
  return `'${JSON.stringify(char).slice(1, -1)}'`
}

/** Why a text is not a component's id; `undefined` when it is one. */
export function kebabProblem(id: string): string | undefined {
  return wordsProblem(id, '-', false)
}

/** Why a text is not a variable's name; `undefined` when it is one. */
export function lowerSnakeProblem(id: string): string | undefined {
  return wordsProblem(id, '_', true)
}

/** Why a text is not a store's or database's label; `undefined` when it is one. */
export function labelProblem(label: string): string | undefined {
  if (
    wordsProblem(label, '-', false) === undefined ||
    wordsProblem(label, '_', false) === undefined
  )
    return undefined
  return 'expected kebab-case or snake_case'
}

/** As manifests of version 1 spelled ids: `_` becomes `-`, upper case lower, but only where needed. */
export function toKebabId(id: string): string {
  return kebabProblem(id) === undefined ? id : id.replaceAll('_', '-').toLowerCase()
}

/** Why a text is not `namespace:name`; `undefined` when it is. */
export function packageProblem(text: string): string | undefined {
  const [namespace, name, ...rest] = text.split(':')
  if (namespace === undefined || name === undefined || rest.length > 0) {
    return `${JSON.stringify(text)} is not a package such as "namespace:name"`
  }
  return kebabProblem(namespace) ?? kebabProblem(name)
}
