import { SpindleError } from '../../errors.ts'
import { type Json, toRecord } from '../../bytes/json.ts'
import { normalizePath, quotePath } from '../../bytes/path.ts'
import { readVerified } from '../../bytes/verified.ts'
import type { Invoice, Label } from '../../bindle/invoice.ts'
import type { Content, Digest, OperationOptions } from '../../types.ts'
import { convertAllowedHttpHosts } from '../manifest/allowed-http-hosts.ts'
import {
  BINDLE_MANIFEST_TYPE,
  type BindleComponent,
  type BindleManifest,
  parseBindleManifest,
} from './bindle-manifest.ts'
import { exactHosts } from './bindle-hosts.ts'
import type { LockedApp, LockedComponent, LockedTrigger, LockResult } from '../lock/locked-app.ts'
import { MAX_APP_FILES } from '../files/tree-builder.ts'

/** A manifest parcel lists components, not files; Spin's largest had a few kilobytes. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024

/**
 * Reads a Spin application out of a bindle, as a lock and its contents; of the parcels only the
 * manifest is opened.
 *
 * Exported from `spindle/bindle`.
 * @param open Gives a parcel's bytes, unchecked; they are checked when they are read.
 * @throws `ERR_CONTENT_INVALID` for an invoice that is no Spin application or names what it doesn't
 * have, `ERR_DIGEST_MISMATCH`
 * @see Spin 1.5, crates/loader/src/bindle/mod.rs
 */
export async function bindleToLock(
  invoice: Invoice,
  open: (label: Label) => Content,
  options: OperationOptions = {},
): Promise<LockResult> {
  const id = `${invoice.bindle.name}/${invoice.bindle.version}`
  const labels = new Map((invoice.parcel ?? []).map(({ label }) => [label.sha256, label]))
  const [label, ...more] = (invoice.parcel ?? [])
    .map((parcel) => parcel.label)
    .filter((entry) => entry.mediaType === BINDLE_MANIFEST_TYPE)
  if (label === undefined)
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `Invoice does not contain a Spin manifest: ${id} is no Spin application`,
    )
  if (more.length > 0)
    throw new SpindleError('ERR_CONTENT_INVALID', `Invoice contains multiple Spin manifests: ${id}`)
  if (label.size > MAX_MANIFEST_BYTES)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the manifest parcel of ${id} has ${label.size} bytes; ${MAX_MANIFEST_BYTES} are read`,
    )
  const expected = {
    mediaType: label.mediaType,
    digest: digestOfLabel(label, id),
    size: label.size,
  }
  const bytes = await readVerified(open(label), expected, options.signal)
  const manifest = parseBindleManifest(bytes, `the manifest of ${id}`)

  const contents = new Map<Digest, Content>()
  const take = (sha256: string, place: string): Digest => {
    const found = labels.get(sha256)
    if (found === undefined)
      throw new SpindleError(
        'ERR_CONTENT_INVALID',
        `${place} is the parcel ${JSON.stringify(sha256)}, which the invoice of ${id} doesn't list`,
      )
    const digest = digestOfLabel(found, id)
    if (!contents.has(digest)) contents.set(digest, open(found))
    return digest
  }
  const groups = parcelGroups(invoice)
  const named = manifest.component.reduce(
    (sum, { files = '' }) => sum + (groups.get(files)?.length ?? 0),
    0,
  )
  if (named > MAX_APP_FILES)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the components of ${id} have ${named} files in all, more than ${MAX_APP_FILES}: let fewer of them share a group`,
    )
  const hosts = exactHosts(label, id)
  const components = manifest.component.map((component): LockedComponent => ({
    ...lockedComponent(component, hosts.get(component.id)),
    source: {
      content_type: 'application/wasm',
      digest: take(component.source, `the Wasm of component ${component.id}`),
    },
    ...filesOf(groups, component, take),
  }))
  return { locked: lockedApp(invoice, manifest, components), contents }
}

function digestOfLabel(label: Label, id: string): Digest {
  if (!/^[0-9a-f]{64}$/.test(label.sha256))
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the parcel ${JSON.stringify(label.name)} of ${id} has ${JSON.stringify(label.sha256)} for a SHA-256`,
    )
  return `sha256:${label.sha256}`
}

/** The parcels of each group, in the order of the invoice. */
function parcelGroups(invoice: Invoice): ReadonlyMap<string, readonly Label[]> {
  const groups = new Map<string, Label[]>()
  for (const { label, conditions } of invoice.parcel ?? [])
    for (const group of new Set(conditions?.memberOf)) {
      const labels = groups.get(group)
      if (labels === undefined) groups.set(group, [label])
      else labels.push(label)
    }
  return groups
}

function filesOf(
  groups: ReadonlyMap<string, readonly Label[]>,
  component: BindleComponent,
  take: (sha256: string, place: string) => Digest,
): Pick<LockedComponent, 'files'> {
  if (component.files === undefined) return {}
  // The later of two at one path wins, as when they are written in turn.
  const files = new Map<string, Digest>()
  for (const label of groups.get(component.files) ?? []) {
    const name = label.name.replaceAll('\\', '/').replace(/^\/+/, '')
    const result = normalizePath(name)
    if ('problem' in result)
      throw new SpindleError(
        'ERR_CONTENT_INVALID',
        `component ${component.id} has the file ${quotePath(label.name)}, which ${result.problem}`,
      )
    files.set(result.path, take(label.sha256, `the file ${quotePath(result.path)}`))
  }
  return files.size === 0 ? {} : { files: [...files].map(([path, digest]) => ({ path, digest })) }
}

function lockedApp(
  invoice: Invoice,
  manifest: BindleManifest,
  components: readonly LockedComponent[],
): LockedApp {
  const { type, base, ...global } = manifest.trigger
  const { name, version, description, authors } = invoice.bindle
  const variables = Object.entries(manifest.variables ?? {})
  return {
    spin_lock_version: 0,
    metadata: toRecord<Json>([
      ...(authors === undefined || authors.length === 0 ? [] : [['authors', authors] as const]),
      ...(description === undefined || description === ''
        ? []
        : [['description', description] as const]),
      ['name', name],
      // Spin before 2.2 looks for `trigger`, later ones for `triggers`.
      ['trigger', { type, ...global }],
      ['triggers', { [type]: global }],
      ['version', version],
    ]),
    ...(variables.length === 0
      ? {}
      : {
          variables: toRecord(
            variables.map(([key, variable]) => [
              key,
              {
                ...(variable.default === undefined ? {} : { default: variable.default }),
                ...(variable.secret === true ? { secret: true as const } : {}),
              },
            ]),
          ),
        }),
    triggers: manifest.component.map((component): LockedTrigger => ({
      id: `trigger--${component.id}`,
      trigger_type: type,
      trigger_config: { ...withBase(component.trigger, base), component: component.id },
    })),
    components,
  }
}

/** Later Spins know no base: it goes in front of each route. */
function withBase(
  trigger: Readonly<Record<string, Json>>,
  base: Json | undefined,
): Readonly<Record<string, Json>> {
  const route = trigger['route']
  if (typeof base !== 'string' || typeof route !== 'string') return trigger
  const prefix = base.replace(/\/+$/, '')
  return prefix === '' ? trigger : { ...trigger, route: `${prefix}/${route.replace(/^\/+/, '')}` }
}

function lockedComponent(
  component: BindleComponent,
  exact: readonly string[] | undefined,
): Omit<LockedComponent, 'source'> {
  const lists: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['ai_models', component.aiModels],
    [
      'allowed_outbound_hosts',
      exact ??
        convertAllowedHttpHosts(component.allowedHttpHosts ?? [], { allowDatabases: true })
          .converted,
    ],
    ['databases', component.sqliteDatabases],
    ['key_value_stores', component.keyValueStores],
  ]
  return {
    id: component.id,
    metadata: toRecord<Json>([
      ...(component.description === undefined
        ? []
        : [['description', component.description] as const]),
      ...lists.filter(
        (entry): entry is readonly [string, readonly string[]] =>
          entry[1] !== undefined && entry[1].length > 0,
      ),
    ]),
    ...(component.environment === undefined ? {} : { env: component.environment }),
    ...(component.config === undefined ? {} : { config: component.config }),
  }
}
