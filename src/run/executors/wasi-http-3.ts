import { raceAbort } from '../../bytes/abort.ts'
import { streamOf } from '../../bytes/stream.ts'
import { SpindleError } from '../../errors.ts'
import { type HeaderPairs, wireOf } from '../../http/wire.ts'
import type { Ledger } from '../budget.ts'
import type { CompiledComponent } from '../component/compile.ts'
import { instantiateComponent } from '../component/instantiate.ts'
import { chargeFields, fieldsOf, pairsOfFields } from '../host/wasi/fields.ts'
import type { HttpError } from '../host/wasi/http-errors.ts'
import { variantOfMethod } from '../host/wasi/http-types.ts'
import { isSuccess } from '../host/wasi/cli.ts'
import type { Result } from '../host/wasi/result.ts'
import { incomingBody, outgoingBody } from '../host/wasi3/http-client.ts'
import type { Request3, Response3 } from '../host/wasi3/http-types.ts'
import type { Answer, Execution, Executor } from '../http/execution.ts'
import { makeResponse } from '../http/make-response.ts'
import { requestTarget } from '../http/target.ts'

/**
 * `wasi:http/handler`, of 0.3.x and the draft that Spin links: `name` is the export.
 *
 * Each request has an instance of its own, as with 0.2: nothing of one request is there for the next.
 */
export function createWasiHttp3Executor(compiled: CompiledComponent, name: string): Executor {
  return {
    kind: 'wasi-http',
    buffers: () => false,
    execute: (execution) => execute(compiled, name, execution),
  }
}

async function execute(
  compiled: CompiledComponent,
  name: string,
  execution: Execution,
): Promise<Answer> {
  const { request, imports, preview1, jspi, budget, signal, assertInTime } = execution
  const options = { imports, preview1, jspi, budget, assertInTime }
  const instance = await raceAbort(instantiateComponent(compiled, options), signal)
  let finish = (_?: unknown): void => {}
  const finished = new Promise<unknown>((resolve) => (finish = resolve))
  const end = (failure?: unknown): void => {
    signal.removeEventListener('abort', onAbort)
    // Whatever the guest hasn't finished breaks off; when the client has left that is all there is.
    instance.dispose()
    finish(failure)
  }
  const onAbort = (): void => end()
  const aborted = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  )
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    const result = (await Promise.race([
      instance.call([name, 'handle'], incoming(execution)),
      aborted,
    ])) as Result<Response3, HttpError>
    const response = responseOf(result, request.method === 'HEAD', budget)
    // A guest may go on after its response, and does while it writes the body.
    void instance
      .idle()
      .then(onAbort, (error: unknown) => end(isSuccess(error) ? undefined : error))
    return { response, finished }
  } catch (error) {
    end()
    throw error
  }
}

function incoming({ request, host, headers, body, budget }: Execution): Request3 {
  const url = new URL(request.url)
  return {
    method: variantOfMethod(request.method),
    scheme: { tag: url.protocol === 'https:' ? 'HTTPS' : 'HTTP' },
    authority: host,
    path: requestTarget(request).whole,
    headers: chargeFields(budget, fieldsOf(headers)),
    options: undefined,
    sent: () => {},
    ...incomingBody(body instanceof Uint8Array ? streamOf(body) : body, budget, {
      trailers: () => wireOf(request)?.trailers?.(),
    }),
  }
}

function responseOf(
  result: Result<Response3, HttpError>,
  isHead: boolean,
  ledger: Ledger,
): Response {
  if (result.tag === 'err') {
    throw new SpindleError(
      'ERR_TRAP',
      `the component answered with the error "${result.val?.tag ?? 'unknown'}"`,
    )
  }
  const response = result.val as Response3
  let trailers: HeaderPairs | undefined
  return makeResponse({
    status: response.status,
    headers: pairsOfFields(response.headers),
    body: outgoingBody(response, ledger, (given) => (trailers = given)) ?? null,
    trailers: () => trailers,
    isHead,
  })
}
