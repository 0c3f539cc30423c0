import { watchStream } from '../../bytes/stream.ts'
import type { ChunkReader, DirectResponse } from '../../types.ts'

interface ResponseParts {
  readonly status: number
  readonly statusText: string
  readonly headers: [string, string][]
}

/**
 * A `Response` of which no more is made than is asked for: with a small blob, `Response`, `Headers`
 * and `ReadableStream` cost more than what comes through them.
 *
 * A class, as the platform's is: an object whose getters are its own has a shape of its own, which
 * cost twice what was saved (measured).
 */
export class LazyResponse implements Response, DirectResponse {
  readonly status: number
  readonly statusText: string
  readonly ok: boolean
  readonly redirected: boolean = false
  readonly type = 'default'
  readonly url = ''
  readonly #parts: ResponseParts
  readonly #source: ChunkReader | undefined
  #headers: Headers | undefined
  #whole: Response | undefined
  #isTaken = false

  /** @param source The body, if there is one. */
  constructor(source: ChunkReader | undefined, parts: ResponseParts) {
    this.#source = source
    this.#parts = parts
    this.status = parts.status
    this.statusText = parts.statusText
    this.ok = parts.status >= 200 && parts.status < 300
  }

  reader(): ChunkReader {
    if (this.#source === undefined || this.#whole !== undefined || this.#isTaken)
      return (this.body ?? new Blob().stream()).getReader()
    this.#isTaken = true
    return this.#source
  }

  /** All of it, as the platform makes it. */
  get whole(): Response {
    if (this.#whole !== undefined) return this.#whole
    const stream = this.#source && watchStream(this.#source, {})
    this.#whole = new Response(stream ?? null, { ...this.#parts, headers: this.headers })
    if (this.#isTaken) stream?.getReader()
    return this.#whole
  }

  get headers(): Headers {
    return (this.#headers ??= new Headers(this.#parts.headers))
  }
  get body(): Response['body'] {
    return this.#source === undefined ? null : this.whole.body
  }
  get bodyUsed(): boolean {
    return this.#isTaken || this.whole.bodyUsed
  }
  clone(): Response {
    return this.whole.clone()
  }
  arrayBuffer(): Promise<ArrayBuffer> {
    return this.whole.arrayBuffer()
  }
  blob(): Promise<Blob> {
    return this.whole.blob()
  }
  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.whole.bytes()
  }
  formData(): Promise<FormData> {
    return this.whole.formData()
  }
  json(): Promise<unknown> {
    return this.whole.json()
  }
  text(): Promise<string> {
    return this.whole.text()
  }
}

// For `instanceof`. What that prototype has is ours, all of it: also what newer platforms bring.
Object.setPrototypeOf(LazyResponse.prototype, Response.prototype)
const example = new LazyResponse(undefined, { status: 200, statusText: '', headers: [] })
for (const name of Object.getOwnPropertyNames(Response.prototype)) {
  if (Object.hasOwn(LazyResponse.prototype, name) || Object.hasOwn(example, name)) continue
  Object.defineProperty(LazyResponse.prototype, name, {
    configurable: true,
    get(this: LazyResponse): unknown {
      const member: unknown = Reflect.get(this.whole, name)
      return typeof member === 'function' ? member.bind(this.whole) : member
    },
  })
}
