import { describeContent } from '../../bytes/describe.ts'
import { type Json, toRecord } from '../../bytes/json.ts'
import { readVerified } from '../../bytes/verified.ts'
import { SpindleError } from '../../errors.ts'
import type { Content, Digest } from '../../types.ts'
import type {
  ContentRef,
  LockedApp,
  LockedComponent,
  LockedDependency,
  LockResult,
} from '../lock/locked-app.ts'
import { WASM_LAYER_TYPE } from '../artifact/media-types.ts'
import { composeComponent, type Supplier } from './compose-component.ts'

/** What a middleware imports and exports: it passes requests on to what is behind it. */
const HANDLER = 'wasi:http/handler'

/**
 * Composes the components of a locked application that have dependencies, or middleware, so that
 * every host can run it. Others stay as they are, and so does the application without any.
 *
 * Rejects with what `composeComponent` rejects with, and `ERR_UNSUPPORTED` for dependencies of
 * triggers that are not the middleware of an HTTP trigger.
 */
export async function composeLock(
  { locked, contents }: LockResult,
  signal?: AbortSignal,
): Promise<LockResult> {
  const composed = new Map<Digest, Uint8Array | Content>(contents)
  const components: LockedComponent[] = []
  for (const component of locked.components) {
    signal?.throwIfAborted()
    const wasm = await composeOne(component, contents, signal)
    if (wasm === undefined) {
      components.push(component)
      continue
    }
    const { digest } = await describeContent(wasm, '', { signal })
    composed.set(digest, wasm)
    components.push(withoutDependencies(component, digest))
  }
  return { locked: withoutNeeds({ ...locked, components }), contents: composed }
}

async function composeOne(
  component: LockedComponent,
  contents: LockResult['contents'],
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  const dependencies = Object.entries(component.dependencies ?? {})
  const roles = Object.entries(component.trigger_dependencies ?? {}).filter(
    ([, list]) => list.length > 0,
  )
  if (dependencies.length === 0 && roles.length === 0) return undefined
  const what = `component ${JSON.stringify(component.id)}`
  const read = (ref: ContentRef): Promise<Uint8Array> => readContent(ref, contents, what, signal)
  let wasm = await read(component.source)
  if (dependencies.length > 0) {
    const suppliers: Supplier[] = []
    for (const [name, dependency] of dependencies) {
      suppliers.push({
        name,
        export: dependency.export ?? undefined,
        inherit: inheritOf(dependency),
        wasm: await read(dependency.source),
      })
    }
    wasm = composeComponent(wasm, suppliers, { what })
  }
  for (const [role, list] of roles) {
    const type = component.metadata?.['resolve-trigger-dependencies-using']
    if (role !== 'middleware' || type !== 'http')
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `${what} has ${JSON.stringify(role)} of a trigger of type ${JSON.stringify(type)}, which can't be composed: only "middleware" of HTTP triggers can; push it with "uncomposed" (--compose=false) for hosts that compose`,
      )
    // The first of them is asked first, so it is the outermost.
    for (const [index, middleware] of [...list.entries()].reverse()) {
      wasm = composeComponent(
        await read(middleware.source),
        [{ name: HANDLER, inherit: 'all', wasm }],
        {
          what: `middleware ${index + 1} of ${what}`,
          inherit: inheritOf(middleware),
          only: HANDLER,
        },
      )
    }
  }
  return wasm
}

function inheritOf({ inherit }: LockedDependency): Supplier['inherit'] {
  return inherit === 'All' ? 'all' : (inherit?.Some ?? [])
}

async function readContent(
  { digest }: ContentRef,
  contents: LockResult['contents'],
  what: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const content = contents.get(digest)
  if (content === undefined)
    throw new SpindleError(
      'ERR_FILE_MISSING',
      `${what} names content ${digest}, which was not given: lock the application again`,
    )
  const size = content instanceof Uint8Array ? content.length : content.size
  return readVerified(content, { mediaType: WASM_LAYER_TYPE, digest, size }, signal)
}

function withoutDependencies(component: LockedComponent, digest: Digest): LockedComponent {
  const {
    dependencies: _,
    trigger_dependencies: __,
    metadata,
    host_requirements: requirements,
    ...rest
  } = component
  const keptMetadata = without(metadata, 'resolve-trigger-dependencies-using')
  const keptRequirements = without(requirements, 'middleware')
  return {
    ...rest,
    ...(keptMetadata === undefined ? {} : { metadata: keptMetadata }),
    source: { content_type: component.source.content_type, digest },
    ...(keptRequirements === undefined ? {} : { host_requirements: keptRequirements }),
  }
}

function without<T extends Json>(
  record: Readonly<Record<string, T>> | undefined,
  key: string,
): Readonly<Record<string, T>> | undefined {
  const entries = Object.entries(record ?? {}).filter(([name]) => name !== key)
  return entries.length === 0 ? undefined : toRecord(entries)
}

/** Hosts before 4.1 refuse an application for what it only needed before it was composed. */
function withoutNeeds(locked: LockedApp): LockedApp {
  if (locked.components.some(({ host_requirements: some }) => some !== undefined)) return locked
  const { must_understand: needs = [], ...rest } = locked
  const others = needs.filter((need) => need !== 'component_host_requirements')
  return others.length > 0
    ? { ...rest, must_understand: others }
    : { ...rest, spin_lock_version: needs.length > 0 ? 0 : locked.spin_lock_version }
}
