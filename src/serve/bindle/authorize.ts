import { isBusy } from '../http/authorize.ts'
import { type Authenticate, authenticateHeader } from '../http/basic.ts'
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
 * @param authenticate Whether a user has this password.
 * @see Bindle, Protocol Specification, Authentication
 */
export function authorizeBindleBasic(authenticate: Authenticate): BindleAuthorize {
  return async (request, { action }) => {
    const header = request.headers.get('authorization')
    if (header === null) return action === 'read'
    // Case-sensitive and with one space, as on the reference server.
    if (!/^Basic \S+$/.test(header)) return false
    return (await authenticateHeader(request, header, authenticate)) !== undefined
  }
}

export async function assertAuthorized(
  request: Request,
  access: BindleAccess,
  authorize: BindleAuthorize | undefined,
): Promise<void> {
  if (authorize === undefined) return
  try {
    if (await authorize(request, access)) return
  } catch (error) {
    if (isBusy(error)) throw new BindleProblem(429, 'too many logins are being checked: try again')
    throw error
  }
  throw request.headers.has('authorization')
    ? new BindleProblem(401, 'unauthorized')
    : new BindleProblem(403, 'access denied')
}
