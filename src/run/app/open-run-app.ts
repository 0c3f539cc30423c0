import { SpindleError } from '../../errors.ts'
import type { LockedComponent } from '../../spin/lock/locked-app.ts'
import type { App } from '../../spin/source/app.ts'
import type { PulledApp } from '../../spin/artifact/pulled-app.ts'
import type { Content, Digest } from '../../types.ts'
import { readBytes } from '../../bytes/read-bytes.ts'
import {
  hasMiddleware,
  isPulledApp,
  type LockedContents,
  type RunApp,
  runAppOf,
} from './run-app.ts'

/**
 * Builds a `RunApp`. Middleware of triggers is composed into the components that it precedes, as on
 * push; without middleware, no content is read.
 *
 * Rejects as `runAppOf` throws, and as `composeLock` for middleware that does not fit.
 */
export async function openRunApp(app: App | PulledApp): Promise<RunApp> {
  return runAppOf(hasMiddleware(app) ? await composeMiddleware(app) : app)
}

async function composeMiddleware(app: App | PulledApp): Promise<LockedContents> {
  // Loaded only for applications with middleware.
  const [{ composeLock }, { lockApp }] = await Promise.all([
    import('../../spin/compose/compose-lock.ts'),
    import('../../spin/source/lock-app.ts'),
  ])
  const { locked, contents } = await composeLock(
    isPulledApp(app) ? { locked: app.locked, contents: await app.contents() } : await lockApp(app),
  )
  const components = new Map(locked.components.map((component) => [component.id, component]))
  const find = (id: string): LockedComponent => {
    const component = components.get(id)
    if (component === undefined)
      throw new SpindleError('ERR_NOT_FOUND', `the application has no component "${id}"`)
    return component
  }
  const contentOf = (digest: Digest): Uint8Array | Content =>
    contents.get(digest) as Uint8Array | Content
  return {
    ...(isPulledApp(app) && { descriptor: app.descriptor }),
    locked,
    component: async (id) => readBytes(contentOf(find(id).source.digest)),
    dependency: async (id, name) =>
      readBytes(contentOf(find(id).dependencies?.[name]?.source.digest as Digest)),
    files: async (id) =>
      new Map((find(id).files ?? []).map(({ path, digest }) => [path, contentOf(digest)])),
  }
}
