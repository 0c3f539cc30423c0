import { canonicalJson, isJsonObject, type JsonObject, parseJson } from '../bytes/json.ts'
import { isDigest } from '../bytes/digest.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import { SpindleError } from '../errors.ts'
import type { LockedApp } from './locked-app.ts'

/** Deepest nesting of a lock: what Spin's own parser accepts. */
const MAX_DEPTH = 128

// Spin writes structs in the order of their declaration and maps sorted by key.
const APP_KEYS = [
  'spin_lock_version',
  'must_understand',
  'metadata',
  'host_requirements',
  'variables',
  'triggers',
  'components',
]
const VARIABLE_KEYS = ['description', 'default', 'secret']
const TRIGGER_KEYS = ['id', 'trigger_type', 'trigger_config']
const COMPONENT_KEYS = [
  'id',
  'metadata',
  'source',
  'env',
  'files',
  'config',
  'dependencies',
  'trigger_dependencies',
  'host_requirements',
]
const CONTENT_KEYS = ['content_type', 'source', 'inline', 'digest', 'path']
const DEPENDENCY_KEYS = ['source', 'export', 'inherit']

type Format = (value: unknown) => string

/**
 * The bytes of a locked application as Spin writes them: compact, known keys in Spin's order, maps
 * sorted, what is empty left out. The same application gives the same bytes.
 *
 * Exported from the main entry point.
 */
export function formatLockedApp(locked: LockedApp): Uint8Array<ArrayBuffer> {
  const content = struct(CONTENT_KEYS, {})
  const dependency = struct(DEPENDENCY_KEYS, { source: content })
  const component = struct(COMPONENT_KEYS, {
    source: content,
    files: list(content),
    dependencies: map(dependency),
    trigger_dependencies: map(list(dependency)),
  })
  const app = struct(APP_KEYS, {
    variables: map(struct(VARIABLE_KEYS, {})),
    triggers: list(struct(TRIGGER_KEYS, {})),
    components: list(component),
  })
  return encodeUtf8(app(locked))
}

function struct(keys: readonly string[], formats: Readonly<Record<string, Format>>): Format {
  return (value) => {
    if (!isJsonObject(value)) return canonicalJson(value)
    // Keys of versions to come go last; nothing that was read gets lost.
    const rest = Object.keys(value)
      .filter((key) => !keys.includes(key))
      .sort()
    const members = [...keys, ...rest].filter(
      (key) => Object.hasOwn(value, key) && value[key] !== undefined && !isLeftOut(key, value[key]),
    )
    return `{${members.map((key) => `${JSON.stringify(key)}:${(Object.hasOwn(formats, key) ? (formats[key] as Format) : canonicalJson)(value[key])}`).join(',')}}`
  }
}

// `triggers` and `components` of an application are always written, and so is empty `inline`.
function isLeftOut(key: string, value: unknown): boolean {
  if (key === 'triggers' || key === 'components') return false
  return Array.isArray(value)
    ? value.length === 0
    : isJsonObject(value) && key !== 'trigger_config' && Object.keys(value).length === 0
}

function list(format: Format): Format {
  return (value) =>
    Array.isArray(value) ? `[${value.map(format).join(',')}]` : canonicalJson(value)
}

function map(format: Format): Format {
  return (value) => {
    if (!isJsonObject(value)) return canonicalJson(value)
    return `{${Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${format(value[key])}`)
      .join(',')}}`
  }
}

/**
 * A locked application from its bytes, checked as far as it is relied on: ids, digests, paths as
 * text. Unknown keys are kept.
 *
 * Exported from the main entry point. Throws `ERR_CONTENT_INVALID`, or `ERR_UNSUPPORTED` for a lock
 * that says a host must understand more than is known here.
 */
export function parseLockedApp(bytes: Uint8Array): LockedApp {
  assertShallow(bytes)
  return checkLockedApp(parseJson(bytes, 'the locked application'))
}

/** As `parseLockedApp`, for JSON that is parsed already. */
export function checkLockedApp(value: unknown): LockedApp {
  const app = objectAt(value, 'the locked application')
  const version = app['spin_lock_version']
  if (version !== 0 && version !== 1) {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `this application has the lock version ${JSON.stringify(version)?.slice(0, 20)}; 0 and 1 are known: use a newer version of this library`,
    )
  }
  for (const feature of app['must_understand'] === undefined
    ? []
    : arrayAt(app['must_understand'], 'must_understand')) {
    if (feature !== 'host_requirements' && feature !== 'component_host_requirements') {
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `this application needs its host to understand ${JSON.stringify(feature)?.slice(0, 100)}: use a newer version of this library`,
      )
    }
  }
  for (const key of ['metadata', 'host_requirements', 'variables'])
    if (app[key] !== undefined) objectAt(app[key], key)
  for (const [i, trigger] of arrayAt(app['triggers'], 'triggers').entries()) {
    const place = `triggers[${i}]`
    const fields = objectAt(trigger, place)
    stringAt(fields['id'], `${place}.id`)
    stringAt(fields['trigger_type'], `${place}.trigger_type`)
  }
  const ids = new Set<string>()
  for (const [i, component] of arrayAt(app['components'], 'components').entries())
    checkComponent(component, `components[${i}]`, ids)
  return value as LockedApp
}

function checkComponent(value: unknown, place: string, ids: Set<string>): void {
  const fields = objectAt(value, place)
  const id = stringAt(fields['id'], `${place}.id`)
  // Ids become names of folders. Spin's own are kebab-case, those of its first versions nearly anything.
  if (!/^[\p{L}\p{N}_][\p{L}\p{N}_. -]{0,127}$/u.test(id))
    throw invalid(`${place}.id is not the name of a component`)
  if (ids.has(id)) throw invalid(`${place}.id is taken by another component`)
  ids.add(id)
  for (const key of ['metadata', 'env', 'config', 'host_requirements'])
    if (fields[key] !== undefined) objectAt(fields[key], `${place}.${key}`)
  checkContent(fields['source'], `${place}.source`)
  for (const [i, file] of fields['files'] === undefined
    ? []
    : arrayAt(fields['files'], `${place}.files`).entries()) {
    const at = `${place}.files[${i}]`
    checkContent(file, at)
    stringAt(objectAt(file, at)['path'], `${at}.path`)
  }
  const direct =
    fields['dependencies'] === undefined
      ? []
      : Object.values(objectAt(fields['dependencies'], `${place}.dependencies`))
  const roles =
    fields['trigger_dependencies'] === undefined
      ? []
      : Object.values(objectAt(fields['trigger_dependencies'], `${place}.trigger_dependencies`))
  for (const dependency of [
    ...direct,
    ...roles.flatMap((role) => arrayAt(role, `${place}.trigger_dependencies`)),
  ]) {
    checkContent(objectAt(dependency, `${place}.dependencies`)['source'], `${place}.dependencies`)
  }
}

function checkContent(value: unknown, place: string): void {
  const fields = objectAt(value, place)
  if (!isDigest(fields['digest'])) throw invalid(`${place} has no valid digest`)
  if (fields['inline'] !== undefined) stringAt(fields['inline'], `${place}.inline`)
}

function objectAt(value: unknown, place: string): JsonObject {
  if (!isJsonObject(value)) throw invalid(`${place} should be an object`)
  return value
}

function arrayAt(value: unknown, place: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${place} should be a list`)
  return value
}

function stringAt(value: unknown, place: string): string {
  if (typeof value !== 'string') throw invalid(`${place} should be text`)
  return value
}

function invalid(problem: string): SpindleError {
  return new SpindleError(
    'ERR_CONTENT_INVALID',
    `the artifact's locked application is not valid: ${problem}; push it again with a current tool`,
  )
}

// Deep nesting would overflow the stack of whoever walks the value.
function assertShallow(bytes: Uint8Array): void {
  let depth = 0
  let inText = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (inText) {
      if (byte === 0x5c) at++
      else if (byte === 0x22) inText = false
    } else if (byte === 0x22) inText = true
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > MAX_DEPTH) throw invalid(`it is nested more than ${MAX_DEPTH} deep`)
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
}
