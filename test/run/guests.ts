import { createAppHandler, type AppHandlerOptions, type LogLine } from '../../src/run/index.ts'
import type { FetchHandler } from '../../src/types.ts'
import { bytesOfFile, pulledApp, type FixtureComponent } from './fixtures.ts'

export const guest = (name: string): Uint8Array => bytesOfFile(`test/guests/${name}.wasm`)
export const FILES = new Map([['a/b.txt', new TextEncoder().encode('hello file')]])

export interface Running {
  readonly get: (path: string, init?: RequestInit) => Promise<Response>
  readonly text: (path: string, init?: RequestInit) => Promise<string>
  readonly log: LogLine[]
}

export async function run(
  component: FixtureComponent,
  options: AppHandlerOptions = {},
  config = {},
  variables = {},
): Promise<Running> {
  const log: LogLine[] = []
  const app = pulledApp({ guest: component }, [{ route: '/...', component: 'guest', ...config }], {
    variables,
  })
  const handler: FetchHandler = await createAppHandler(app, {
    onLog: (line) => log.push(line),
    ...options,
  })
  const get = (path: string, init?: RequestInit): Promise<Response> =>
    handler.fetch(new Request(`http://app.example${path}`, init))
  return { get, log, text: async (path, init) => (await get(path, init)).text() }
}
