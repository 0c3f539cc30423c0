import { isDigest } from '../../bytes/digest.ts'
import { readBounded } from '../../bytes/stream.ts'
import { decodeUtf8, encodeUtf8 } from '../../bytes/text.ts'
import type { Digest } from '../../types.ts'
import { listAll } from '../storage/port.ts'
import type { Storage } from '../storage/port.ts'
import { answerJson } from '../http/answer.ts'
import type { Call, RegistryContext } from './context.ts'
import {
  CATALOG_PREFIX,
  catalogKey,
  linksPrefix,
  manifestsPrefix,
  tagKey,
  tagsPrefix,
} from './keys.ts'
import { formatLink, parsePageSize } from './paging.ts'
import { matchesEtag } from './range.ts'
import { Refusal } from '../http/refusal.ts'

/** Most names in one response, about a megabyte; the next page is in `Link`. */
const PAGE_ENTRIES = 10_000
/** Longest stored tag value: a sha512 digest has 135 characters. */
const MAX_DIGEST_LENGTH = 200
/** Attempts at a conditional write of a tag before the answer is 412. */
const MAX_ATTEMPTS = 5

/** end-8a, 8b: `GET /v2/<name>/tags/list?n=&last=`, sorted by code point. */
export async function listTags(
  context: RegistryContext,
  { url }: Call,
  repository: string,
): Promise<Response> {
  const { names, next } = await listNames(context.storage, tagsPrefix(repository), url)
  if (names.length === 0 && !(await isRepository(context.storage, repository))) {
    throw new Refusal(404, {
      code: 'NAME_UNKNOWN',
      message: 'the repository does not exist',
      detail: { name: repository },
    })
  }
  return answerJson({ name: repository, tags: names }, { 'Cache-Control': 'no-cache', ...next })
}

/** `GET /v2/_catalog?n=&last=`: not in the specification, but used by many tools. */
export async function listCatalog({ storage }: RegistryContext, { url }: Call): Promise<Response> {
  const { names, next } = await listNames(storage, CATALOG_PREFIX, url)
  return answerJson({ repositories: names }, { 'Cache-Control': 'no-cache', ...next })
}

async function listNames(
  storage: Storage,
  prefix: string,
  url: URL,
): Promise<{ names: string[]; next: { Link?: string } }> {
  const limit = Math.min(parsePageSize(url) ?? PAGE_ENTRIES, PAGE_ENTRIES)
  const last = url.searchParams.get('last') ?? ''
  if (limit === 0) return { names: [], next: {} }
  const names: string[] = []
  for await (const { key } of listAll(
    storage,
    prefix,
    last === '' ? {} : { after: `${prefix}${last}` },
  )) {
    if (names.length === limit)
      return { names, next: { Link: formatLink(url, { n: String(limit), last: names.at(-1)! }) } }
    names.push(key.slice(prefix.length))
  }
  return { names, next: {} }
}

async function isRepository(storage: Storage, repository: string): Promise<boolean> {
  if ((await storage.head(catalogKey(repository))) !== undefined) return true
  for (const prefix of [manifestsPrefix(repository), linksPrefix(repository)]) {
    if ((await storage.list(prefix, { limit: 1 })).entries.length > 0) return true
  }
  return false
}

/** The digest of a tag; `undefined` if it does not exist. */
export async function readTag(
  storage: Storage,
  repository: string,
  tag: string,
): Promise<Digest | undefined> {
  return (await readTagValue(storage, tagKey(repository, tag)))?.digest
}

async function readTagValue(
  storage: Storage,
  key: string,
): Promise<{ digest: Digest; etag: string } | undefined> {
  const value = await storage.get(key)
  if (value === undefined) return undefined
  const digest = decodeUtf8(await readBounded(value.body, MAX_DIGEST_LENGTH, 'a stored tag'))
  return isDigest(digest) ? { digest, etag: value.etag } : undefined
}

/** Writes a tag. With `If-Match` or `If-None-Match`, only if the condition holds; otherwise 412. */
export async function writeTag(
  storage: Storage,
  repository: string,
  tag: string,
  digest: Digest,
  conditions: Headers,
): Promise<void> {
  const key = tagKey(repository, tag)
  const bytes = encodeUtf8(digest)
  const [match, noneMatch] = [conditions.get('If-Match'), conditions.get('If-None-Match')]
  if (match === null && noneMatch === null) {
    await storage.put(key, bytes)
    return
  }
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const current = await readTagValue(storage, key)
    const etag = current === undefined ? '' : `"${current.digest}"`
    const holds =
      (match === null || (current !== undefined && matchesEtag(match, etag))) &&
      !(current !== undefined && matchesEtag(noneMatch, etag))
    if (!holds) break
    const { stored } = await storage.put(
      key,
      bytes,
      current === undefined ? { ifAbsent: true } : { ifMatch: current.etag },
    )
    if (stored) return
  }
  throw new Refusal(412, {
    code: 'DENIED',
    message: 'the tag does not meet the condition: the manifest was stored, the tag was not set',
    detail: { tag },
  })
}

/** Removes a tag. @returns Whether it existed. */
export async function untag(storage: Storage, repository: string, tag: string): Promise<boolean> {
  const key = tagKey(repository, tag)
  if ((await storage.head(key)) === undefined) return false
  await storage.delete(key)
  return true
}

/** Removes all tags that point to a manifest. */
export async function removeTagsTo(
  storage: Storage,
  repository: string,
  digest: Digest,
): Promise<void> {
  for await (const { key } of listAll(storage, tagsPrefix(repository))) {
    if ((await readTagValue(storage, key))?.digest === digest) await storage.delete(key)
  }
}
