import { effectiveRoute } from '../../run/http/router.ts'
import { isJsonObject } from '../../bytes/json.ts'
import { isPulledApp, type RunApp } from '../../run/app/run-app.ts'
import type { App } from '../../spin/source/app.ts'
import type { PulledApp } from '../../spin/artifact/pulled-app.ts'

/** The output of `spin up` at the start: one line per route, followed by the component's description. */
export function describeRoutes(app: App | PulledApp, run: RunApp, url: string): string[] {
  const descriptions = descriptionsOf(app)
  const lines = run.triggers.flatMap(({ id, config }) => {
    const { route, component } = config
    if (route !== undefined && typeof route !== 'string') return []
    const name = typeof component === 'string' ? component : id
    const effective = effectiveRoute(run.base, route ?? '/')
    const isWildcard = effective.endsWith('/...')
    const path = isWildcard ? effective.slice(0, -'/...'.length) : effective
    const line = `  ${name}: ${url}${path}${isWildcard ? ' (wildcard)' : ''}`
    const description = descriptions.get(name)
    return description === undefined ? [line] : [line, `    ${description}`]
  })
  return [`Serving ${url}`, 'Available Routes:', ...lines]
}

function descriptionsOf(app: App | PulledApp): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const note = (id: string, description: unknown): void => {
    if (typeof description === 'string' && description !== '') found.set(id, description)
  }
  if (!isPulledApp(app)) {
    for (const { id, table } of app.components) note(id, table.description)
  } else {
    for (const { id, metadata } of app.locked.components)
      note(id, isJsonObject(metadata) ? metadata['description'] : undefined)
  }
  return found
}

/** Selects components and their triggers, and adds environment variables to all. */
export function narrowApp(
  app: App | PulledApp,
  ids: ReadonlySet<string> | undefined,
  environment: Readonly<Record<string, string>>,
): App | PulledApp {
  const has = (id: unknown): boolean => ids === undefined || (typeof id === 'string' && ids.has(id))
  if (!isPulledApp(app)) {
    return {
      ...app,
      triggers: app.triggers.filter(({ table }) => has(table.component)),
      components: app.components
        .filter(({ id }) => has(id))
        .map((component) => ({
          ...component,
          table: {
            ...component.table,
            environment: { ...component.table.environment, ...environment },
          },
        })),
    }
  }
  const { locked } = app
  return {
    ...app,
    locked: {
      ...locked,
      triggers: locked.triggers.filter(({ trigger_config: config }) =>
        isJsonObject(config) ? has(config['component']) : ids === undefined,
      ),
      components: locked.components
        .filter(({ id }) => has(id))
        .map((component) => ({ ...component, env: { ...component.env, ...environment } })),
    },
  }
}

export function componentIds(app: App | PulledApp): readonly string[] {
  return (isPulledApp(app) ? app.locked.components : app.components).map(({ id }) => id)
}
