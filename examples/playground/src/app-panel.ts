import type { LockedApp } from 'spindle/app'
import { copyButton } from '../../page/copy-button.ts'
import { element, find } from '../../page/dom.ts'
import { formatBytes, formatCount } from '../../page/format.ts'
import type { AppImage } from './guest-messages.ts'

type Config = Readonly<Record<string, unknown>>

/** A route as the manifest has it, and where it can be looked at. */
export interface RouteRow {
  readonly route: string
  readonly answeredBy: string
  /** Absent where it takes a parameter, or is private. */
  readonly path: string | undefined
}

export function routesOf({ triggers, metadata }: LockedApp): readonly RouteRow[] {
  const base = baseOf(metadata)
  return triggers.flatMap(({ trigger_type: type, trigger_config: value }) => {
    const config = (value ?? {}) as Config
    if (type !== 'http')
      return [{ route: type, answeredBy: 'not run by this page', path: undefined }]
    const component =
      typeof config['component'] === 'string' ? config['component'] : 'static response'
    const { route = '/' } = config
    if (typeof route !== 'string')
      return [{ route: 'private', answeredBy: component, path: undefined }]
    const full = `${base}${route.startsWith('/') ? route : `/${route}`}`
    const path = full.replace(/\/(?:\.\.\.|\*)$/, '/')
    return [{ route: full, answeredBy: component, path: path.includes('/:') ? undefined : path }]
  })
}

function baseOf(metadata: LockedApp['metadata']): string {
  const { triggers, trigger } = (metadata ?? {}) as {
    triggers?: { http?: Config }
    trigger?: Config
  }
  const base = triggers?.http?.['base'] ?? trigger?.['base']
  return typeof base === 'string' ? base.replace(/\/$/, '') : ''
}

/** Where to begin: at the root if that is answered, else at the first route that can be shown. */
export function firstPath(locked: LockedApp): string {
  const paths = routesOf(locked).flatMap(({ path }) => (path === undefined ? [] : [path]))
  return paths.includes('/') ? '/' : (paths[0] ?? '/')
}

/** What the application is made of: routes, components, files, and the digest that names all of it. */
export function showApp(
  { descriptor, locked, contents }: AppImage,
  onGo: (path: string) => void,
): void {
  const sizeOf = (digest: string): number => contents.get(digest)?.length ?? 0
  find('routes').replaceChildren(
    ...routesOf(locked).map(({ route, answeredBy, path }) => {
      const name =
        path === undefined
          ? element('code', { text: route, className: 'name' })
          : element('button', { text: route, className: 'link name' })
      if (path !== undefined) name.addEventListener('click', () => onGo(path))
      return element('li', {}, name, element('span', { text: answeredBy, className: 'quiet' }))
    }),
  )
  find('components').replaceChildren(
    ...locked.components.flatMap(({ id, source, files = [] }) => {
      const head = element(
        'li',
        {},
        element('span', { text: id, className: 'name' }),
        element('span', { text: formatBytes(sizeOf(source.digest)), className: 'size' }),
      )
      if (files.length === 0) return [head]
      const total = files.reduce((sum, { digest }) => sum + sizeOf(digest), 0)
      const list = element(
        'ul',
        { className: 'lines' },
        ...files.map(({ path, digest }) =>
          element(
            'li',
            {},
            element('code', { text: path, className: 'name' }),
            element('span', { text: formatBytes(sizeOf(digest)), className: 'size' }),
          ),
        ),
      )
      const details = element(
        'details',
        { className: 'files' },
        element('summary', {
          text: `${formatCount(files.length, 'file')} · ${formatBytes(total)}`,
        }),
        list,
      )
      details.open = files.length <= 12
      return [head, element('li', {}, details)]
    }),
  )
  find('digest').replaceChildren(
    element('code', { text: descriptor.digest }),
    copyButton('the digest', () => descriptor.digest),
  )
}
