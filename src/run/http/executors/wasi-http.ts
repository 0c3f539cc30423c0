import { raceAbort } from '../../../bytes/abort.ts'
import { SpindleError } from '../../../errors.ts'
import type { CompiledComponent } from '../../component/compile.ts'
import { instantiateComponent } from '../../component/instantiate.ts'
import { fieldsOf, headersOf, type Fields } from '../../wasi/fields.ts'
import {
  variantOfMethod,
  type HttpError,
  type IncomingRequest,
  type OutgoingResponse,
} from '../../wasi/http-types.ts'
import { isSuccess } from '../../wasi/cli.ts'
import type { Result } from '../../wasi/result.ts'
import { createBytesInput, createWebInput, type InputStream } from '../../wasi/streams.ts'
import { hasNoBody, isStatus, type Answer, type Execution, type Executor } from '../execution.ts'

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
  const { request, host, imports, jspi, budget, signal, assertInTime } = execution
  const url = new URL(request.url)
  const incoming: IncomingRequest = {
    method: variantOfMethod(request.method),
    scheme: { tag: url.protocol === 'https:' ? 'HTTPS' : 'HTTP' },
    authority: host,
    path: `${url.pathname}${url.search}`,
    headers: fieldsOf(execution.headers),
    consumed: false,
    body: { taken: false, open: bodyInput(execution) },
  }
  const options = { imports, jspi, budget, assertInTime }
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
  return toResponse(status, headers, body?.pipe.stream, isHead)
}

/** What a component answers, as far as `Response` can carry it. */
export function toResponse(
  status: number,
  headers: Fields,
  body: ReadableStream<Uint8Array> | undefined,
  isHead: boolean,
): Response {
  if (!isStatus(status))
    throw new SpindleError('ERR_TRAP', `the component answered with the status ${status}`)
  const bare = isHead || hasNoBody(status)
  // Read and thrown away: a guest that writes a body for HEAD is not to see it refused.
  if (bare) void body?.pipeTo(new WritableStream()).catch(() => {})
  return new Response(
    bare || body === undefined ? null : (body as ReadableStream<Uint8Array<ArrayBuffer>>),
    { status, headers: headersOf(headers) },
  )
}
