import { type BindleClient, createBindleClient } from '../../src/bindle/client.ts'
import { createBindleId } from '../../src/bindle/id.ts'
import type { Invoice, Label } from '../../src/bindle/invoice.ts'
import type { StandaloneBindle } from '../../src/bindle/standalone.ts'
import { digestOf, hexOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import type { FetchHandler } from '../../src/types.ts'

export const SERVER = 'http://localhost:8080/v1'
export const NO_RETRY = { retry: false } as const

/** A bindle of some texts, each a parcel. */
export async function bindleOf(
  texts: readonly string[],
  version = '1.0.0',
): Promise<StandaloneBindle> {
  const parcels = new Map<string, Uint8Array>()
  const labels: Label[] = []
  for (const text of texts) {
    const bytes = encodeUtf8(text)
    const sha256 = hexOf(await digestOf(bytes))
    parcels.set(sha256, bytes)
    const name = `${text.slice(0, 20)}.txt`
    labels.push({ sha256, mediaType: 'text/plain', name, size: bytes.length })
  }
  const invoice: Invoice = {
    bindleVersion: '1.0.0',
    bindle: { name: 'team/app', version },
    parcel: labels.map((label) => ({ label })),
  }
  return { id: createBindleId('team/app', version), invoice, parcels }
}

/** Lets a test answer in the server's place. */
export function between(
  handler: FetchHandler,
  answer: (request: Request) => Promise<Response | undefined> | Response | undefined,
): FetchHandler {
  return { fetch: async (request) => (await answer(request)) ?? handler.fetch(request) }
}

export const clientOf = (handler: FetchHandler, more: object = NO_RETRY): BindleClient =>
  createBindleClient(SERVER, { fetch: handler.fetch, ...more })

export const toml = (status: number, text: string): Response =>
  new Response(text, { status, headers: { 'content-type': 'application/toml' } })
