import { parseBase64 } from '../../bytes/base64.ts'
import { isDigest } from '../../bytes/digest.ts'
import { documentBytes, tooLong } from '../../bytes/document-limits.ts'
import { type JsonObject, jsonLimits, parseJson } from '../../bytes/json.ts'
import { normalizePath, quotePath } from '../../bytes/path.ts'
import { SpindleError } from '../../errors.ts'
import { dependencyNameProblem } from '../manifest/dependencies.ts'
import {
  arrayOf,
  cleanJson,
  invalid,
  objectOf,
  optionalString,
  othersOf,
  present,
  recordOf,
  stringOf,
} from './lock-fields.ts'
import type {
  ContentRef,
  HostRequirements,
  LockedApp,
  LockedComponent,
  LockedDependency,
  LockedFile,
  LockedSource,
  LockedTrigger,
  LockedVariable,
  MustUnderstand,
} from './locked-app.ts'

/** What a host must do for an application, and this library knows of. */
const SUPPORTED_REQUIREMENTS = ['local_service_chaining', 'middleware']

const UNDERSTOOD: ReadonlySet<string> = new Set<MustUnderstand>([
  'host_requirements',
  'component_host_requirements',
])

/**
 * Reads a locked application as any version of Spin since 0.8 wrote it into an artifact.
 *
 * Exported from `spindle/app`. Unknown keys are kept, but for `source`, a path of the machine
 * that locked it. File paths come in one spelling; ids and paths are safe to use as names of files.
 * Contents aren't looked at.
 *
 * Throws `ERR_CONTENT_INVALID` for what isn't one, `ERR_UNSUPPORTED` for one that this version may
 * not run, `ERR_LIMIT_EXCEEDED` above 16 MiB or with more keys than `maxKeys`.
 *
 * @param options.maxKeys Default 200 000, which is some 50 000 files.
 */
export function parseLockedApp(
  bytes: Uint8Array,
  options: { readonly maxKeys?: number | undefined } = {},
): LockedApp {
  const most = documentBytes(options.maxKeys)
  if (bytes.length > most) throw tooLong('the locked application', most, 'maxKeys')
  const app = objectOf(
    parseJson(bytes, 'the locked application', jsonLimits(options.maxKeys, 'maxKeys')),
    'the locked application',
  )
  const version = app['spin_lock_version']
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 0)
    throw invalid('spin_lock_version', 'a version number')
  if (version > 1)
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `the locked application has the invalid version ${version} > 1: it is of a newer Spin`,
    )
  const mustUnderstand = arrayOf(
    app['must_understand'] ?? [],
    'must_understand',
    (value, at): MustUnderstand => {
      const name = stringOf(value, at)
      if (!UNDERSTOOD.has(name))
        throw new SpindleError(
          'ERR_UNSUPPORTED',
          `the application must be run by a host that understands ${quotePath(name)}`,
        )
      return name as MustUnderstand
    },
  )
  const components = arrayOf(app['components'], 'components', readComponent)
  const ids = new Set<string>()
  const twice = components.find(({ id }) => ids.size === ids.add(id).size)
  if (twice !== undefined)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the locked application has two components with the id ${quotePath(twice.id)}`,
    )
  return {
    ...othersOf(app, [
      'spin_lock_version',
      'must_understand',
      'metadata',
      'host_requirements',
      'variables',
      'triggers',
      'components',
    ]),
    spin_lock_version: version as 0 | 1,
    ...present('must_understand', mustUnderstand),
    ...present(
      'metadata',
      recordOf(app['metadata'], 'metadata', (value) => cleanJson(value)),
    ),
    ...present(
      'host_requirements',
      readRequirements(app['host_requirements'], 'host_requirements'),
    ),
    ...present('variables', recordOf(app['variables'], 'variables', readVariable)),
    triggers: arrayOf(app['triggers'], 'triggers', readTrigger),
    components,
  }
}

function readVariable(value: unknown, at: string): LockedVariable {
  const variable = objectOf(value, at)
  const description = optionalString(variable['description'], `${at}.description`)
  const fallback = optionalString(variable['default'], `${at}.default`)
  return {
    ...othersOf(variable, ['description', 'default', 'secret']),
    ...(description !== undefined && { description }),
    ...(fallback !== undefined && { default: fallback }),
    ...(variable['secret'] === true ? { secret: true } : {}),
  }
}

function readTrigger(value: unknown, at: string): LockedTrigger {
  const trigger = objectOf(value, at)
  if (trigger['trigger_config'] === undefined) throw invalid(`${at}.trigger_config`, 'there')
  return {
    ...othersOf(trigger, ['id', 'trigger_type', 'trigger_config']),
    id: stringOf(trigger['id'], `${at}.id`),
    trigger_type: stringOf(trigger['trigger_type'], `${at}.trigger_type`),
    trigger_config: cleanJson(trigger['trigger_config']),
  }
}

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

function readComponent(value: unknown, at: string): LockedComponent {
  const component = objectOf(value, at)
  const id = stringOf(component['id'], `${at}.id`)
  assertSafeId(id)
  const text = (key: string): Readonly<Record<string, string>> =>
    recordOf(component[key], `${at}.${key}`, stringOf)
  return {
    ...othersOf(component, COMPONENT_KEYS),
    id,
    ...present(
      'metadata',
      recordOf(component['metadata'], `${at}.metadata`, (inner) => cleanJson(inner)),
    ),
    source: readSource(component['source'], `${at}.source`),
    ...present('env', text('env')),
    ...present('files', arrayOf(component['files'] ?? [], `${at}.files`, readFile)),
    ...present('config', text('config')),
    ...present(
      'dependencies',
      recordOf(
        component['dependencies'],
        `${at}.dependencies`,
        readDependency,
        (name) => dependencyNameProblem(name) === undefined,
      ),
    ),
    ...present(
      'trigger_dependencies',
      recordOf(component['trigger_dependencies'], `${at}.trigger_dependencies`, (list, inner) =>
        arrayOf(list, inner, readDependency),
      ),
    ),
    ...present(
      'host_requirements',
      readRequirements(component['host_requirements'], `${at}.host_requirements`),
    ),
  }
}

// eslint-disable-next-line no-control-regex
const UNSAFE_IN_ID = /[/\\:\u0000-\u001f\u007f]|[. ]$/

/** A component's id becomes the name of a folder. */
function assertSafeId(id: string): void {
  if (id !== '' && id.length <= 255 && !UNSAFE_IN_ID.test(id)) return
  throw new SpindleError(
    'ERR_CONTENT_INVALID',
    `the locked application has a component with the id ${quotePath(id)}, which can't be the name of a folder`,
  )
}

function readSource(value: unknown, at: string): LockedSource {
  const source = objectOf(value, at)
  return {
    ...othersOf(source, CONTENT_KEYS),
    // Its value is never looked at, by Spin neither.
    content_type:
      optionalString(source['content_type'], `${at}.content_type`) ?? 'application/wasm',
    ...readContentRef(source, at),
  }
}

const CONTENT_KEYS = ['content_type', 'source', 'inline', 'digest', 'path']

function readContentRef(ref: JsonObject, at: string): ContentRef {
  const { digest } = ref
  if (!isDigest(digest))
    throw invalid(
      `${at}.digest`,
      'a digest such as sha256:… (without one it was locked for its own machine only)',
    )
  const inline = optionalString(ref['inline'], `${at}.inline`)
  if (inline !== undefined && parseBase64(inline) === undefined)
    throw invalid(`${at}.inline`, 'base64')
  return { ...(inline !== undefined && { inline }), digest }
}

function readFile(value: unknown, at: string): LockedFile {
  const file = objectOf(value, at)
  const written = stringOf(file['path'], `${at}.path`)
  // Pushes from Windows by Spin before 3.0 have backslashes.
  const path = normalizePath(written.replaceAll('\\', '/').replace(/^\//, ''))
  if ('problem' in path)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the locked application has an invalid file mount: ${quotePath(written)} ${path.problem}`,
    )
  return { ...othersOf(file, CONTENT_KEYS), ...readContentRef(file, at), path: path.path }
}

function readDependency(value: unknown, at: string): LockedDependency {
  const dependency = objectOf(value, at)
  const inherit = readInherit(dependency['inherit'], `${at}.inherit`)
  return {
    ...othersOf(dependency, ['source', 'export', 'inherit']),
    source: readSource(dependency['source'], `${at}.source`),
    export: optionalString(dependency['export'], `${at}.export`) ?? null,
    ...(inherit !== undefined && { inherit }),
  }
}

function readInherit(value: unknown, at: string): LockedDependency['inherit'] {
  if (value === undefined || value === null || value === 'None') return undefined
  if (value === 'All') return value
  return { Some: arrayOf(objectOf(value, at)['Some'], `${at}.Some`, stringOf) }
}

function readRequirements(value: unknown, at: string): HostRequirements {
  const requirements = recordOf(value, at, (level): 'required' | 'optional' =>
    level === 'optional' ? 'optional' : 'required',
  )
  const unknown = Object.keys(requirements).filter(
    (name) => requirements[name] === 'required' && !SUPPORTED_REQUIREMENTS.includes(name),
  )
  if (unknown.length > 0) {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `This version of Spindle does not support the following features required by this application: ${unknown.slice(0, 10).map(quotePath).join(', ')}`,
    )
  }
  return requirements
}
