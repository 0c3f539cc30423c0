import { isBusy } from '../http/authorize.ts'
import { type Authenticate, authenticateHeader } from '../http/basic.ts'
import { BindleProblem } from './answer.ts'

/** The access that a request needs. */
export interface BindleAccess {
  /** Kind of access. */
  readonly action: 'read' | 'push' | 'yank'
  /**
   * `NAME/VERSION`. Absent for queries, keys and logins, and for a push of an invoice before it is parsed:
   * the hook is then called again with the id.
   */
  readonly id?: string
}

/** Authorizes a request. If `false`, the answer is 401 for a request with credentials, 403 without. */
export type BindleAuthorize = (request: Request, access: BindleAccess) => boolean | Promise<boolean>

/**
 * Creates an `authorize` hook for HTTP Basic authentication like the reference server: reading needs no
 * credentials, everything else does, and invalid ones are rejected for reading too.
 *
 * Exported from `spindle/serve`.
 *
 * @example One user who can push
 * ```ts
 * createBindleHandler({
 *   authorize: authorizeBindleBasic((name, password) => name === 'ci' && password === secret),
 * })
 * ```
 * @param authenticate Checks name and password.
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

/** @throws 401 or 403 unless the hook accepts the request, 429 if it is overloaded. */
export async function assertAuthorized(
  request: Request,
  access: BindleAccess,
  authorize: BindleAuthorize | undefined,
): Promise<void> {
  if (authorize === undefined) return
  try {
    if (await authorize(request, access)) return
  } catch (error) {
    if (isBusy(error))
      throw new BindleProblem(429, 'too many logins are being checked: try again later')
    throw error
  }
  throw request.headers.has('authorization')
    ? new BindleProblem(401, 'unauthorized')
    : new BindleProblem(403, 'access denied')
}
