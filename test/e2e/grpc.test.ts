// A gRPC service of Spin's SDK, asked by gRPC's own client for Node.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type ChannelCredentials,
  Client,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { buildProgram } from '../cli/built-program.ts'
import { itHasSdkGuest } from '../run/sdk-cases.ts'
import { startUp } from './start-up.ts'

const tls = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url))

/** One text in field 1: what both messages of the service are, as Protocol Buffers have it. */
const write = (text: string): Buffer => {
  const bytes = Buffer.from(text)
  return bytes.length === 0 ? bytes : Buffer.concat([Buffer.from([0x0a, bytes.length]), bytes])
}
const read = (message: Buffer): string => message.subarray(2).toString()

interface Answer {
  readonly messages: readonly string[]
  /** gRPC's status comes in trailers, or in the headers of an answer without a body. */
  readonly status: number
  readonly details: string
  readonly tag?: string
}

/** Calls a method with some names, each a message. */
function call(client: Client, method: string, names: readonly string[]): Promise<Answer> {
  const path = `/spindle.test.Greeter/${method}`
  const metadata = new Metadata()
  metadata.set('tag', 'x1')
  const messages: string[] = []
  let tag: string | undefined
  return new Promise((resolve) => {
    const stream = client.makeBidiStreamRequest(path, write, read, metadata)
    stream.on('metadata', (received: Metadata) => (tag = received.get('tag')[0]?.toString()))
    stream.on('data', (text: string) => messages.push(text))
    stream.on('error', (_: ServiceError) => {})
    stream.on('status', ({ code, details }: { code: number; details: string }) =>
      resolve({ messages, status: code, details, ...(tag !== undefined && { tag }) }),
    )
    for (const name of names) stream.write(name)
    stream.end()
  })
}

describe.each<[string, readonly string[], () => ChannelCredentials]>([
  ['without TLS', [], () => credentials.createInsecure()],
  [
    'by TLS',
    ['--tls-cert', tls('cert.pem'), '--tls-key', tls('key.pem')],
    () =>
      credentials.createSsl(readFileSync(tls('cert.pem')), null, null, {
        // The certificate is for the address, which Node.js 26 takes for no server's name.
        checkServerIdentity: () => undefined,
      }),
  ],
])('a gRPC service run by `spindle up` %s', (_, args, trust) => {
  let program: string
  let folder: string
  beforeAll(async () => {
    program = (await buildProgram()).main
    folder = mkdtempSync(join(tmpdir(), 'spindle-grpc-'))
    writeFileSync(
      join(folder, 'spin.toml'),
      `spin_manifest_version = 2
[application]
name = "grpc"
[[trigger.http]]
route = "/..."
component = "grpc"
[component.grpc]
source = "grpc.wasm"
`,
    )
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  itHasSdkGuest(
    { name: 'grpc' },
    async (wasm) => {
      writeFileSync(join(folder, 'grpc.wasm'), wasm)
      const app = await startUp(program, folder, args)
      const client = new Client(new URL(app.url as string).host, trust(), {
        'grpc.ssl_target_name_override': 'localhost',
      })
      const answers = {
        unary: await call(client, 'Greet', ['Ann']),
        refused: await call(client, 'Greet', ['']),
        failedStream: await call(client, 'GreetOften', ['Ann']),
        clientStream: await call(client, 'GreetAll', ['Ann', 'Bob', 'Eve']),
        bothStream: await call(client, 'GreetEach', ['Ann', 'Bob']),
        unknown: await call(client, 'Leave', ['Ann']),
      }
      client.close()
      await app.stop()
      expect(answers, app.output()).toEqual({
        unary: { messages: ['Hello, Ann!'], status: status.OK, details: '', tag: 'x1' },
        refused: {
          messages: [],
          status: status.INVALID_ARGUMENT,
          details: 'a name is missing',
        },
        failedStream: {
          messages: Array.from({ length: 3 }, () => 'Hello, Ann!'),
          status: status.OUT_OF_RANGE,
          details: 'three are enough',
        },
        clientStream: { messages: ['Hello, Ann, Bob, Eve!'], status: status.OK, details: '' },
        bothStream: { messages: ['Hello, Ann!', 'Hello, Bob!'], status: status.OK, details: '' },
        unknown: expect.objectContaining({ messages: [], status: status.UNIMPLEMENTED }),
      })
    },
    'answers every kind of call, with its status',
  )
})
