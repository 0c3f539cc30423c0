import { raceAbort } from '../../bytes/abort.ts'
import { SpindleError } from '../../errors.ts'
import { instantiateModule, moduleExports, type CoreModuleInstance } from './core-module.ts'
import type { HostInterface } from '../component/abi/items.ts'
import { sendLegacy, type LegacyRequest, type LegacyResponse } from '../host/spin/outbound-http.ts'
import { isExitSignal } from '../host/wasi/cli.ts'
import { createPreview1 } from '../host/wasi/preview1.ts'
import type { Result } from '../host/wasi/result.ts'
import { createBytesInput } from '../host/wasi/streams.ts'
import type { Execution, Executor } from '../http/execution.ts'
import { legacyRequest, legacyResponse, METHOD_NOT_ALLOWED, methodIndex } from './inbound-http.ts'
import { createMemoryAccess, type Access } from './legacy-memory.ts'
import { keyValueHost, sqliteHost } from './legacy-stores.ts'

const HANDLER = 'handle-http-request'

/** `result<string, error>` where the error is a variant of strings. */
function putTextResult(
  { u8, u32, putText }: Access,
  out: number,
  tag: number | undefined,
  text: string,
): void {
  const [at, length] = putText(text)
  if (tag === undefined) {
    u8(out, 0)
    u32(out + 4, at, length)
  } else {
    u8(out, 1)
    u8(out + 4, tag)
    u32(out + 8, at, length)
  }
}

const CONFIG_ERRORS = ['provider', 'invalid-key', 'invalid-schema', 'other']

function configHost(access: Access, { imports }: Execution): HostInterface {
  return {
    functions: {
      'get-config'(name: number, length: number, out: number) {
        const get = imports('fermyon:spin/config')?.functions['get-config'] as
          ((name: string) => Result<string, { tag: string; val: string }>) | undefined
        const result = get?.(access.text(name, length))
        access.settle()
        if (result?.tag === 'ok') putTextResult(access, out, undefined, result.val ?? '')
        else
          putTextResult(
            access,
            out,
            Math.max(0, CONFIG_ERRORS.indexOf(result?.val?.tag ?? 'other')),
            result?.val?.val ?? '',
          )
      },
    },
  }
}

const HTTP_ERRORS = [
  'success',
  'destination-not-allowed',
  'invalid-url',
  'request-error',
  'runtime-error',
  'too-many-requests',
]
const METHOD_NAMES = ['get', 'post', 'put', 'delete', 'patch', 'head', 'options']

function httpHost(access: Access, { send, budget, signal }: Execution): HostInterface {
  const request = async (
    method: number,
    uri: number,
    uriLength: number,
    headers: number,
    headerCount: number,
    _: number,
    __: number,
    hasBody: number,
    body: number,
    bodyLength: number,
    out: number,
  ): Promise<void> => {
    const result = await sendLegacy(
      send,
      {
        method: METHOD_NAMES[method] ?? 'get',
        uri: access.text(uri, uriLength),
        headers: access.pairs(headers, headerCount),
        params: [],
        body: hasBody === 0 ? undefined : access.copy(body, bodyLength),
      },
      budget,
      signal,
    )
    access.settle()
    if (result.tag === 'err') {
      access.u8(out, 1)
      access.u8(out + 4, Math.max(0, HTTP_ERRORS.indexOf(result.val ?? '')))
      return
    }
    const { status, headers: given, body: content } = result.val as LegacyResponse
    const pairs = access.putPairs(given ?? [])
    const bytes = access.put(content ?? new Uint8Array())
    access.u8(out, 0)
    access.view().setUint16(out + 4, status, true)
    access.u8(out + 8, 1)
    access.u32(out + 12, ...pairs)
    access.u8(out + 20, 1)
    access.u32(out + 24, ...bytes)
    access.settle()
  }
  return { functions: { request }, waits: new Set(['request']) }
}

/**
 * A core module of Spin 0.x and 1.x, which answers by `handle-http-request`. The host's functions
 * of the time are bound straight to it: no adapter is needed.
 */
export function createLegacyExecutor(module: WebAssembly.Module): Executor {
  if (!moduleExports(module).has(HANDLER)) {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `it is a core module without "${HANDLER}" and without a "component-type" section: neither a component nor of an interface that Spin has had`,
    )
  }
  return {
    kind: 'inbound-http',
    buffers: () => true,
    execute: (execution) => execute(module, execution),
  }
}

async function execute(
  module: WebAssembly.Module,
  execution: Execution,
): ReturnType<Executor['execute']> {
  const { env, files, stdout, stderr, jspi, budget, request, signal, assertInTime } = execution
  const legacy = legacyRequest(execution)
  if (legacy === undefined) return METHOD_NOT_ALLOWED()
  const preview1 = createPreview1({
    args: [],
    env,
    files,
    stdin: createBytesInput(new Uint8Array()),
    stdout: stdout(),
    stderr: stderr(),
    ledger: budget,
  })
  const late: { instance?: CoreModuleInstance } = {}
  const access = createMemoryAccess(() => late.instance as CoreModuleInstance, budget)
  const instantiated = instantiateModule(module, {
    hosts: {
      wasi_snapshot_preview1: preview1.host,
      'spin-config': configHost(access, execution),
      'wasi-outbound-http': httpHost(access, execution),
      'key-value': keyValueHost(access, execution),
      ...sqliteHost(access, execution),
    },
    jspi,
    budget,
    assertInTime,
    attach: preview1.attach,
  })
  const instance = (late.instance = await raceAbort(instantiated, signal))
  if (instance.has('_initialize')) await raceAbort(instance.run('_initialize'), signal)
  const out = await raceAbort(call(instance, access, legacy), signal)
  const response = readResponse(access, out)
  return {
    response: legacyResponse(response, request.method === 'HEAD'),
    finished: Promise.resolve(),
    held: response.body?.length ?? 0,
  }
}

async function call(
  instance: CoreModuleInstance,
  access: Access,
  request: LegacyRequest,
): Promise<number> {
  const uri = access.putText(request.uri)
  const headers = access.putPairs(request.headers)
  const body = access.put(request.body ?? new Uint8Array())
  try {
    const returned = await instance.run(
      HANDLER,
      methodIndex(request.method),
      ...uri,
      ...headers,
      4,
      0,
      1,
      ...body,
    )
    return (returned as number) >>> 0
  } catch (error) {
    if (isExitSignal(error))
      throw new SpindleError('ERR_TRAP', `the component exited with ${error.exitCode}`)
    throw error
  }
}

function readResponse(access: Access, out: number): LegacyResponse {
  const view = access.view()
  const word = (offset: number): number => view.getUint32(out + offset, true)
  return {
    status: view.getUint16(out, true),
    headers: view.getUint8(out + 4) === 0 ? undefined : access.pairs(word(8), word(12)),
    body: view.getUint8(out + 16) === 0 ? undefined : access.copy(word(20), word(24)),
  }
}
