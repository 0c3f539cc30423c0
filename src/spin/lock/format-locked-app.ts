import { canonicalJson, isJsonObject } from '../../bytes/json.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import type { LockedApp } from './locked-app.ts'

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
 * Exported from `spindle/app`.
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

const OPTIONAL_KEYS: ReadonlySet<string> = new Set([
  'must_understand',
  'metadata',
  'host_requirements',
  'variables',
  'env',
  'files',
  'config',
  'dependencies',
  'trigger_dependencies',
])

function isLeftOut(key: string, value: unknown): boolean {
  if (!OPTIONAL_KEYS.has(key) || typeof value !== 'object' || value === null) return false
  return Object.keys(value).length === 0
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
