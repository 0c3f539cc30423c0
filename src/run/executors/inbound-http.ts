import { raceAbort } from '../../bytes/abort.ts'
import { SpindleError } from '../../errors.ts'
import type { HeaderPairs } from '../../http/wire.ts'
import type { CompiledComponent } from '../component/compile.ts'
import { instantiateComponent } from '../component/instantiate.ts'
import { MAX_FIELD_BYTES, MAX_FIELDS } from '../host/wasi/fields.ts'
import type { LegacyRequest, LegacyResponse } from '../host/spin/outbound-http.ts'
import { wholeBody, type Answer, type Execution, type Executor } from '../http/execution.ts'
import { givenHeader } from '../http/headers.ts'
import { makeResponse } from '../http/make-response.ts'
import { requestTarget } from '../http/target.ts'

/** The methods that the old interface knows; others are answered with 405. */
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']

/** A request as the old interface has it; `undefined` for a method it doesn't know. */
export function legacyRequest(execution: Execution): LegacyRequest | undefined {
  const { request, headers, budget } = execution
  if (!METHODS.includes(request.method)) return undefined
  const body = wholeBody(execution)
  budget.charge(body.length)
  return {
    method: request.method.toLowerCase(),
    uri: requestTarget(request).whole,
    headers,
    params: [],
    body,
  }
}

export function methodIndex(method: string): number {
  return METHODS.indexOf(method.toUpperCase())
}

/** Checked one by one, so that no more of them are made than a message may have. */
function givenHeaders(headers: NonNullable<LegacyResponse['headers']>): HeaderPairs {
  let bytes = 0
  return headers.flatMap(([name, value], i) => {
    const header = givenHeader(name, value)
    bytes += name.length + value.length
    if (i >= MAX_FIELDS || bytes > MAX_FIELD_BYTES)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `the component answered with more than ${MAX_FIELDS} headers or ${MAX_FIELD_BYTES} bytes of them`,
      )
    return header === undefined ? [] : [header]
  })
}

export function legacyResponse(
  { status, headers, body }: LegacyResponse,
  isHead: boolean,
): Response {
  return makeResponse({
    status,
    headers: givenHeaders(headers ?? []),
    body: body ?? null,
    isHead,
  })
}

export const METHOD_NOT_ALLOWED = (): Answer => ({
  response: new Response(null, { status: 405 }),
  finished: Promise.resolve(),
})

/** `fermyon:spin/inbound-http` of a component: whole bodies both ways. */
export function createInboundExecutor(compiled: CompiledComponent, name: string): Executor {
  return {
    kind: 'inbound-http',
    buffers: () => true,
    async execute(execution) {
      const { imports, preview1, jspi, budget, signal, assertInTime, request } = execution
      const legacy = legacyRequest(execution)
      if (legacy === undefined) return METHOD_NOT_ALLOWED()
      const options = { imports, preview1, jspi, budget, assertInTime }
      const instance = await raceAbort(instantiateComponent(compiled, options), signal)
      try {
        const answered = instance.call([name, 'handle-request'], legacy)
        const response = (await raceAbort(answered, signal)) as LegacyResponse
        return {
          response: legacyResponse(response, request.method === 'HEAD'),
          finished: Promise.resolve(),
          held: response.body?.length ?? 0,
        }
      } finally {
        instance.dispose()
      }
    },
  }
}
