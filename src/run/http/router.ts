import { AppInvalid } from '../../errors.ts'

/** A trigger's route, ready to match. @see Spin's HTTP trigger, routing */
export interface Route<T> {
  /** With the base, without a trailing slash. */
  readonly effective: string
  /** As written in the manifest. */
  readonly raw: string
  readonly target: T
  readonly tokens: readonly Token[]
}

type Token =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'slash' | 'wildcard' }
  | { readonly kind: 'param'; readonly name: string }

export interface RouteMatch<T> {
  readonly route: Route<T>
  readonly params: ReadonlyMap<string, string>
  /** The path that the wildcard matched, with its slash; empty for exact routes. */
  readonly pathInfo: string
}

export interface Router<T> {
  readonly routes: ReadonlyArray<Route<T>>
  /** Routes that can never be reached: another has the same pattern. */
  readonly duplicates: ReadonlyArray<{
    readonly route: string
    readonly replaced: T
    readonly effective: T
  }>
  /** By path as received: percent-encoded, without query. */
  match(path: string): RouteMatch<T> | undefined
}

export function effectiveRoute(base: string, route: string): string {
  const strip = (text: string): string => (text.endsWith('/') ? text.slice(0, -1) : text)
  const full = strip(base) + strip(route.startsWith('/') ? route : `/${route}`)
  return full === '' ? '/' : full
}

/** Throws `ERR_APP_INVALID` for an invalid route. */
export function createRouter<T>(
  base: string,
  entries: ReadonlyArray<{ readonly route: string; readonly target: T }>,
): Router<T> {
  const byRaw = new Map<string, Route<T>>()
  const duplicates: Array<{ route: string; replaced: T; effective: T }> = []
  for (const { route, target } of entries) {
    const effective = effectiveRoute(base, route)
    const earlier = byRaw.get(route)
    if (earlier !== undefined)
      duplicates.push({ route, replaced: earlier.target, effective: target })
    // `Map` keeps the position of the first entry; the later trigger replaces its value.
    byRaw.set(route, { effective, raw: route, target, tokens: parseRoute(effective) })
  }
  const routes = [...byRaw.values()].sort(compare)
  return {
    routes,
    duplicates,
    match(path) {
      for (const route of routes) {
        const found = matchRoute(route, path)
        if (found !== undefined) return found
      }
      return undefined
    },
  }
}

/** Removes slashes at both ends. Not by a regular expression, which is quadratic in the number of slashes. */
function trim(path: string): string {
  let [start, end] = [0, path.length]
  while (path[start] === '/') start++
  while (end > start && path[end - 1] === '/') end--
  return path.slice(start, end)
}

function parseRoute(route: string): Token[] {
  const trimmed = trim(route)
  if (trimmed === '') return []
  const sections = trimmed.split('/')
  return sections.flatMap((section, i): Token[] => {
    const slash: Token[] = i === 0 ? [] : [{ kind: 'slash' }]
    if (i === sections.length - 1 && (section === '...' || section === '*'))
      return [...slash, { kind: 'wildcard' }]
    if (section.startsWith('*')) invalidRoute(route, 'a wildcard has no name and stands at the end')
    return [...slash, ...parseSection(section, route)]
  })
}

/** A dot between parameters is a token of its own; next to a literal it is part of the literal. */
function parseSection(section: string, route: string): Token[] {
  const tokens: Token[] = []
  const literal = (text: string): void => {
    const last = tokens[tokens.length - 1]
    if (last?.kind === 'literal')
      tokens[tokens.length - 1] = { kind: 'literal', text: last.text + text }
    else if (text !== '') tokens.push({ kind: 'literal', text })
  }
  section.split('.').forEach((piece, i) => {
    if (i > 0) literal('.')
    if (piece.startsWith(':')) {
      if (piece === ':') invalidRoute(route, 'a parameter has no name')
      tokens.push({ kind: 'param', name: piece.slice(1) })
    } else literal(piece)
  })
  return tokens
}

function invalidRoute(route: string, why: string): never {
  throw new AppInvalid([{ code: 'invalid-route', message: `route "${route}" is invalid: ${why}` }])
}

const RANK = { literal: 0, slash: 0, param: 1, wildcard: 2 } as const

function compare<T>(a: Route<T>, b: Route<T>): number {
  for (let i = 0; i < Math.min(a.tokens.length, b.tokens.length); i++) {
    const difference = RANK[(a.tokens[i] as Token).kind] - RANK[(b.tokens[i] as Token).kind]
    if (difference !== 0) return difference
  }
  const dots = (route: Route<T>): number =>
    route.tokens.filter((token) => token.kind === 'literal' && token.text === '.').length
  return dots(b) - dots(a) || a.tokens.length - b.tokens.length
}

function matchRoute<T>(route: Route<T>, path: string): RouteMatch<T> | undefined {
  let rest = trim(path)
  const params = new Map<string, string>()
  const { tokens } = route
  for (const [i, token] of tokens.entries()) {
    const next = tokens[i + 1]
    switch (token.kind) {
      case 'literal':
        if (!rest.startsWith(token.text)) return undefined
        rest = rest.slice(token.text.length)
        break
      case 'slash':
        if (rest.startsWith('/')) rest = rest.slice(1)
        // `/a/...` is also `/a`.
        else if (rest !== '' || next?.kind !== 'wildcard') return undefined
        break
      case 'param': {
        const end = rest.search(
          next?.kind === 'literal' && next.text.startsWith('.') ? /[/.]/ : /\//,
        )
        const value = end === -1 ? rest : rest.slice(0, end)
        if (value === '') return undefined
        params.set(token.name, value)
        rest = rest.slice(value.length)
        break
      }
      case 'wildcard': {
        const tail = path.endsWith('/') ? '/' : ''
        return { route, params, pathInfo: rest === '' ? tail : `/${rest}${tail}` }
      }
    }
  }
  return rest === '' ? { route, params, pathInfo: '' } : undefined
}
