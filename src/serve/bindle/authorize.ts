import { parseBase64 } from '../../bytes/base64.ts'
import { decodeUtf8 } from '../../bytes/text.ts'
import { BindleProblem } from './answer.ts'

/** What a request wants to do. */
export interface BindleAccess {
  readonly action: 'read' | 'push' | 'yank'
  /**
   * `NAME/VERSION`. Absent for queries, keys and logins, and when an invoice is pushed, whose id is
   * known once it was read: then the hook is asked again, with it.
   */
  readonly id?: string
}

/** Lets a request pass, or not: then it is answered 401 when it carried credentials, else 403. */
export type BindleAuthorize = (request: Request, access: BindleAccess) => boolean | Promise<boolean>

/**
 * HTTP Basic as the reference server has it: reading needs no credentials, everything else does,
 * and wrong ones are refused even for reading.
 *
 * Exported from `spindle/serve`.
 *
 * @param check Whether a user has this password.
 * @see Bindle, Protocol Specification, Authentication
 */
export function authorizeBindleBasic(
  check: (username: string, password: string) => boolean | Promise<boolean>,
): BindleAuthorize {
  return async (request, { action }) => {
    const header = request.headers.get('authorization')
    if (header === null) return action === 'read'
    // Case-sensitive, as on the reference server.
    if (!header.startsWith('Basic ')) return false
    const pair = decodeUtf8(parseBase64(header.slice('Basic '.length)) ?? new Uint8Array([0xff]))
    const colon = pair?.indexOf(':') ?? -1
    if (pair === undefined || colon < 0) return false
    return check(pair.slice(0, colon), pair.slice(colon + 1))
  }
}

export async function assertAuthorized(
  request: Request,
  access: BindleAccess,
  authorize: BindleAuthorize | undefined,
): Promise<void> {
  if (authorize === undefined || (await authorize(request, access))) return
  throw request.headers.has('authorization')
    ? new BindleProblem(401, 'unauthorized')
    : new BindleProblem(403, 'access denied')
}
