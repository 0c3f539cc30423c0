import type { Label } from '../../bindle/invoice.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import { convertAllowedHttpHosts } from '../manifest/allowed-http-hosts.ts'
import type { AppComponent } from '../source/app.ts'

/** Hosts in the words of manifest version 2, by component, as JSON: a bindle's own words are fewer. */
const ANNOTATION = 'spindle:allowed_outbound_hosts'

/** Of the hosts, those that the older words have, never wider but in the scheme, which those lack. */
export function httpHostsOf(hosts: readonly string[]): string[] {
  if (['http://*:*', 'https://*:*', 'http://self'].every((host) => hosts.includes(host)))
    return ['insecure:allow-all']
  const found = new Set<string>()
  for (const host of hosts) {
    const authority = /^https?:\/\/([^/*{},\s]+)\/?$/.exec(host)?.[1]
    if (authority !== undefined) found.add(authority)
  }
  return [...found]
}

/** The annotation of the manifest parcel's label with the exact hosts, where reading the older words would give others. */
export function exactHostsAnnotation(
  components: readonly AppComponent[],
): Readonly<Record<string, string>> {
  const exact = Object.create(null) as Record<string, readonly string[]>
  for (const { id, table } of components) {
    const hosts = new Set(table.allowed_outbound_hosts ?? [])
    const read = new Set(
      convertAllowedHttpHosts(httpHostsOf([...hosts]), { allowDatabases: true }).converted,
    )
    if (hosts.size !== read.size || [...hosts].some((host) => !read.has(host)))
      exact[id] = [...hosts]
  }
  return Object.keys(exact).length === 0 ? {} : { [ANNOTATION]: JSON.stringify(exact) }
}

/** Reads it back: the exact hosts by component, of those that it has. */
export function exactHosts(label: Label, id: string): ReadonlyMap<string, readonly string[]> {
  const json =
    label.annotations !== undefined && Object.hasOwn(label.annotations, ANNOTATION)
      ? label.annotations[ANNOTATION]
      : undefined
  if (json === undefined) return new Map()
  const what = `the annotation ${ANNOTATION} of ${id}`
  const value = parseJson(encodeUtf8(json), what)
  if (!isJsonObject(value)) throw new SpindleError('ERR_CONTENT_INVALID', `${what} is no object`)
  return new Map(
    Object.entries(value).map(([component, hosts]) => {
      if (!Array.isArray(hosts) || !hosts.every((host) => typeof host === 'string'))
        throw new SpindleError(
          'ERR_CONTENT_INVALID',
          `${what} has no list of hosts for ${JSON.stringify(component)}`,
        )
      return [component, hosts as string[]]
    }),
  )
}
