import { describe, expect, it } from 'vitest'
import { hasFixedLength } from '../../src/serve/relay/body.ts'
import { DIGEST, relayBefore } from '../serve/relay/relay.ts'

const BLOB = `/registry.example/v2/a/blobs/${DIGEST}`
const UPLOAD = '/registry.example/v2/a/blobs/uploads/1'
const PIECES = ['one ', 'two ', 'three']
const LENGTH = String(PIECES.join('').length)

/** Comes when it is asked for, piece by piece. */
function pieces(): ReadableStream<Uint8Array> {
  const left = [...PIECES]
  return new ReadableStream(
    {
      pull(controller) {
        const piece = left.shift()
        if (piece === undefined) controller.close()
        else controller.enqueue(new TextEncoder().encode(piece))
      },
    },
    { highWaterMark: 0 },
  )
}

// A Worker sends a stream in chunks, which registries refuse, unless it is one of a fixed length.
describe('a relay in a Worker', () => {
  it('hands a blob down with its length', async () => {
    const { ask } = relayBefore(
      async () => new Response(pieces(), { headers: { 'content-length': LENGTH } }),
    )
    const response = await ask(BLOB)
    expect(response.headers.get('content-length')).toBe(LENGTH)
    expect(await response.text()).toBe(PIECES.join(''))
  })

  it('hands an upload up with its length', async () => {
    expect(hasFixedLength).toBe(true)
    let came = ''
    const { ask, sent } = relayBefore(
      async (request) => {
        came = await request.text()
        return new Response(null, { status: 201 })
      },
      { writable: () => true },
    )
    const headers = { 'content-length': LENGTH }
    const response = await ask(UPLOAD, { method: 'PUT', headers, body: pieces() })
    expect(response.status).toBe(201)
    expect(sent[0]?.headers.get('content-length')).toBe(LENGTH)
    expect(came).toBe(PIECES.join(''))
  })
})
