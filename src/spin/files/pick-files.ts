import { mapBounded } from '../../bytes/concurrency.ts'
import { quotePath } from '../../bytes/path.ts'
import { SpindleError } from '../../errors.ts'
import type { Content } from '../../types.ts'
import { MAX_GLOB_STEPS, type GlobBudget, spend } from './glob-pattern.ts'
import type { SourceEntry, SourceFolder } from './source-folder.ts'
import { MAX_APP_FILES, type TreeLimits } from './tree-builder.ts'
import type { WantedPath, WantedSegment } from './wanted-files.ts'

/** Entries looked at side by side; in Node each takes a file handle or a thread. */
const CONCURRENCY = 16
/** What it costs to try one pattern on one name, in steps of a match. */
const STEPS_PER_PATTERN = 16
/** Longest path in UTF-16 units: no file system has longer ones, but a loop of links. */
const MAX_PATH_LENGTH = 4096

/** What was found of the wanted paths. */
export interface PickedFiles {
  readonly files: Map<string, Content>
  /** Folders that are wanted themselves, empty ones too. */
  readonly folders: Set<string>
}

/** How far a wanted path has come. */
interface State {
  readonly want: WantedPath
  readonly at: number
}

/**
 * Takes the wanted paths out of a folder. Of a folder where only names are wanted, nothing else is
 * looked at; where patterns are, its names are listed; others are not entered.
 *
 * @throws `ERR_LIMIT_EXCEEDED` for more files, folders or bytes than allowed, or too long a path.
 */
export async function pickFiles(
  top: SourceFolder,
  wanted: readonly WantedPath[],
  limits: TreeLimits,
  signal?: AbortSignal,
  budget: GlobBudget = { left: MAX_GLOB_STEPS },
): Promise<PickedFiles> {
  const { maxFiles = MAX_APP_FILES, maxBytes = Infinity } = limits
  const files = new Map<string, Content>()
  const folders = new Set<string>()
  let bytes = 0
  let visited = 0
  const keep = (path: string, content: Content): void => {
    files.set(path, content)
    bytes += content.size
    if (bytes > maxBytes) throw tooMuch(`has more than ${maxBytes} bytes together`, 'maxBytes')
    if (files.size > maxFiles) throw tooMuch(`has more than ${maxFiles} files`, 'maxFiles')
  }
  const walk = async (
    folder: SourceFolder,
    prefix: string,
    states: readonly State[],
    isWhole: boolean,
  ): Promise<void> => {
    signal?.throwIfAborted()
    if (prefix.length > MAX_PATH_LENGTH)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `a path is longer than ${MAX_PATH_LENGTH} characters, at ${quotePath(prefix)}: is there a loop of links?`,
      )
    if (++visited > maxFiles) throw tooMuch(`has more than ${maxFiles} folders`, 'maxFiles')
    const nextOf = createStepper(states, budget)
    const listed = isWhole || nextOf.isOpen ? await folder.names() : []
    const chosen = [...new Set([...listed, ...nextOf.names])].filter(
      (name) => isWhole || nextOf(name).length > 0,
    )
    const found = await mapBounded(
      chosen,
      CONCURRENCY,
      async (name) => {
        const entry = await folder.find(name)
        if (entry === undefined) return undefined
        return { name, ...(await takeEntry(entry, nextOf(name), isWhole)) }
      },
      signal,
    )
    for (const item of found) {
      if (item === undefined) continue
      const path = prefix + item.name
      if (item.content !== undefined) keep(path, item.content)
      if (item.folder === undefined) continue
      const isAll =
        item.isWhole || item.next.some(({ want, at }) => want.isWhole && isDone(want, at))
      if (isAll) folders.add(path)
      if (isAll || item.next.some(({ want, at }) => !isDone(want, at)))
        await walk(item.folder, `${path}/`, item.next, isAll)
    }
  }
  const start = wanted.map((want) => ({ want, at: 0 }))
  const isWhole = start.some(({ want }) => want.isWhole && want.segments.length === 0)
  if (isWhole) folders.add('')
  await walk(top, '', start, isWhole)
  return { files, folders }
}

interface Taken {
  readonly content?: Content
  readonly folder?: SourceFolder
  readonly next: readonly State[]
  readonly isWhole: boolean
}

/** What an entry gives: its content, or a folder to go on in. */
async function takeEntry(
  entry: SourceEntry,
  next: readonly State[],
  isWhole: boolean,
): Promise<Taken> {
  if (entry.kind === 'folder') return { folder: entry, next, isWhole }
  if (entry.kind === 'file') {
    const isTaken = isWhole || next.some(({ want, at }) => isDone(want, at))
    return { ...(isTaken && { content: await entry.open() }), next: [], isWhole: false }
  }
  const { target, refused } = entry
  const forWasm = next.filter(({ want }) => want.use === 'wasm')
  if (target === undefined || forWasm.length === 0)
    return { content: refused, next: [], isWhole: false }
  return takeEntry(target, forWasm, false)
}

function isDone({ segments }: WantedPath, at: number): boolean {
  return at === segments.length
}

/** Finds the states that a name leads to, from the ones of its folder. */
function createStepper(
  states: readonly State[],
  budget: GlobBudget,
): {
  (name: string): readonly State[]
  /** Whether names that nobody knows beforehand lead further. */
  readonly isOpen: boolean
  readonly names: Iterable<string>
} {
  const named = new Map<string, State[]>()
  const open: { readonly segment: WantedSegment; readonly state: State }[] = []
  for (const { want, at: start } of states) {
    for (let at = start; ; at++) {
      const segment = want.segments[at]
      if (segment === undefined) break
      if (segment.type === 'name') {
        const reached = named.get(segment.name) ?? []
        reached.push({ want, at: at + 1 })
        named.set(segment.name, reached)
        break
      }
      // Any number of folders can be none: what follows counts here too.
      const isAny = segment.type === 'folders'
      open.push({ segment, state: { want, at: isAny ? at : at + 1 } })
      if (!isAny) break
    }
  }
  const step = (name: string): readonly State[] => {
    const reached = [...(named.get(name) ?? [])]
    spend(budget, STEPS_PER_PATTERN * (1 + open.length))
    for (const { segment, state } of open)
      if (segment.type !== 'pattern' || segment.matches(name)) reached.push(state)
    return unique(reached)
  }
  return Object.assign(step, { isOpen: open.length > 0, names: named.keys() })
}

/** Without what is there twice: several `**` would reach one state in ever more ways. */
function unique(states: readonly State[]): readonly State[] {
  if (states.length < 2) return states
  const seen = new Map<WantedPath, Set<number>>()
  return states.filter(({ want, at }) => {
    const places = seen.get(want) ?? new Set()
    seen.set(want, places)
    return places.size !== places.add(at).size
  })
}

function tooMuch(problem: string, option: string): SpindleError {
  return new SpindleError('ERR_LIMIT_EXCEEDED', `what the manifest names ${problem}`, {
    remedy: { option, advice: 'leave folders out, or raise %' },
  })
}
