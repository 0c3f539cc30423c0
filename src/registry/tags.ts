import { SpindleError } from '../errors.ts'
import { isJsonObject, parseJson } from '../bytes/json.ts'
import { fetchBuffered } from '../http/response-body.ts'
import { isTag } from '../oci/reference.ts'
import type { OperationOptions } from '../types.ts'
import type { RepositoryContext } from './context.ts'
import { type Page, walkPages } from './paging.ts'

/**
 * Size of one page in bytes: docker-registry 2.8 sends all tags in one; 30 000 of the longest fit.
 */
const MAX_PAGE_BYTES = 4 * 1024 * 1024
const MAX_TAGS = 1_000_000

/**
 * Lists all tags in code unit order. Sorted here: docker-registry 2.8 does not sort them.
 * @see Distribution Spec 1.1, Listing Tags
 */
export async function* listTags(
  context: RepositoryContext,
  { signal }: OperationOptions,
): AsyncGenerator<string> {
  const tags = new Set<string>()
  const { transport, scope } = context
  const base = await context.base(signal)
  const what = `the list of tags of ${base.host}`
  const open = (url: URL): Promise<Page> =>
    fetchBuffered(transport, { url, scope: scope('pull'), signal }, MAX_PAGE_BYTES, what)
  for await (const bytes of walkPages(new URL('tags/list', base), open)) {
    const page = parseJson(bytes, what)
    const list = isJsonObject(page) ? (page['tags'] ?? []) : undefined
    if (!Array.isArray(list)) throw new SpindleError('ERR_CONTENT_INVALID', `${what} has no "tags"`)
    const before = tags.size
    for (const tag of list) if (typeof tag === 'string' && isTag(tag)) tags.add(tag)
    if (tags.size > MAX_TAGS)
      throw new SpindleError('ERR_LIMIT_EXCEEDED', `${what} has more than ${MAX_TAGS} entries`)
    // A page without new tags would repeat for ever.
    if (tags.size === before) break
  }
  yield* [...tags].sort()
}
