import { raceAbort } from '../../bytes/abort.ts'
import { SpindleError } from '../../errors.ts'
import { wireOf } from '../../http/wire.ts'
import type { CompiledComponent } from '../component/compile.ts'
import { instantiateComponent } from '../component/instantiate.ts'
import { chargeFields, fieldsOf, pairsOfFields } from '../host/wasi/fields.ts'
import type { HttpError } from '../host/wasi/http-errors.ts'
import {
  variantOfMethod,
  type IncomingRequest,
  type OutgoingResponse,
} from '../host/wasi/http-types.ts'
import { isSuccess } from '../host/wasi/cli.ts'
import type { Result } from '../host/wasi/result.ts'
import { createBytesInput, createWebInput, type InputStream } from '../host/wasi/streams.ts'
import type { Answer, Execution, Executor } from '../http/execution.ts'
import { makeResponse } from '../http/make-response.ts'
import { requestTarget } from '../http/target.ts'

function bodyInput({ body, budget }: Execution): () => InputStream {
  if (body !== null && !(body instanceof Uint8Array)) return () => createWebInput(body, budget)
  const bytes = body ?? new Uint8Array()
  budget.charge(bytes.length)
  return () => createBytesInput(bytes)
}

/** `wasi:http/incoming-handler`, of 0.2.x and the two drafts: `name` is the export. */
export function createWasiHttpExecutor(compiled: CompiledComponent, name: string): Executor {
  return {
    kind: 'wasi-http',
    buffers: (jspi) => !jspi,
    execute: (execution) => execute(compiled, name, execution),
  }
}

async function execute(
  compiled: CompiledComponent,
  name: string,
  execution: Execution,
): Promise<Answer> {
  const { request, host, imports, preview1, jspi, budget, signal, assertInTime } = execution
  const url = new URL(request.url)
  const incoming: IncomingRequest = {
    method: variantOfMethod(request.method),
    scheme: { tag: url.protocol === 'https:' ? 'HTTPS' : 'HTTP' },
    authority: host,
    path: requestTarget(request).whole,
    // The authority says it: Wasmtime keeps what belongs to the connection from these guests.
    headers: chargeFields(budget, fieldsOf(execution.headers.filter(([name]) => name !== 'host'))),
    consumed: false,
    body: {
      taken: false,
      open: bodyInput(execution),
      trailers: () => wireOf(request)?.trailers?.(),
    },
  }
  const options = { imports, preview1, jspi, budget, assertInTime }
  const instance = await raceAbort(instantiateComponent(compiled, options), signal)
  let outgoing: OutgoingResponse | undefined
  const fail = (error: unknown): void => outgoing?.body?.pipe.fail(error)
  let finish = (_?: unknown): void => {}
  const finished = new Promise<unknown>((resolve) => (finish = resolve))

  const responded = new Promise<Response>((resolve, reject) => {
    const set = (result: Result<OutgoingResponse, HttpError>): void => {
      if (result.tag === 'ok') outgoing = result.val
      try {
        resolve(responseOf(result, request.method === 'HEAD'))
      } catch (error) {
        reject(error)
      }
    }
    const onAbort = (): void => {
      fail(signal.reason)
      reject(signal.reason)
      // A guest that is waiting may never come back: what it holds is let go now.
      instance.dispose()
      finish()
    }
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    instance
      .call([name, 'handle'], incoming, { set })
      .then(
        () => reject(new SpindleError('ERR_TRAP', 'the component returned without a response')),
        (error: unknown) => {
          outgoing?.body?.pipe.breakOff(error)
          reject(error)
          return isSuccess(error) ? undefined : error
        },
      )
      .then((failure) => {
        signal.removeEventListener('abort', onAbort)
        instance.dispose()
        finish(failure)
      })
  })
  return { response: await responded, finished }
}

function responseOf(result: Result<OutgoingResponse, HttpError>, isHead: boolean): Response {
  if (result.tag === 'err') {
    throw new SpindleError(
      'ERR_TRAP',
      `the component answered with the error "${result.val?.tag ?? 'unknown'}"`,
    )
  }
  const { status, headers, body } = result.val as OutgoingResponse
  return makeResponse({
    status,
    headers: pairsOfFields(headers),
    body: body?.pipe.stream ?? null,
    trailers: () => body?.trailers,
    isHead,
  })
}
