import { describe, expect, it } from 'vitest'
import { hasJspi } from '../../src/run/component/abi/jspi.ts'
import { createAppHandler, createSqliteWasm, type LogLine } from '../../src/run/index.ts'
import { executorApp, executorCases } from './executor-cases.ts'
import { bytesOfFile } from './fixtures.ts'
import { sqlite } from './sqlite-engine.ts'
import { expectNoWaiting } from './waiting.ts'

// In a page they run in page.test.ts, in workerd in worker-loader.test.ts.
const runtime = hasJspi() ? 'Node 24, 26' : 'Node 20, 22'

describe(`in ${runtime}`, () => {
  it.each(executorCases.map((one) => [one.name, one] as const))(
    '%s',
    async (_, { guest, path, answer, refused }) => {
      const connect = createSqliteWasm(sqlite)
      const log: LogLine[] = []
      const handler = await createAppHandler(
        executorApp(guest, bytesOfFile(`test/guests/${guest}.wasm`)),
        {
          fetch: async ({ url }) => new Response(`got ${url}`),
          sqlite: connect,
          onLog: (line) => log.push(line),
        },
      )
      const get = (wanted: string): Promise<Response> =>
        handler.fetch(new Request(`http://app.example${wanted}`))
      if (refused?.includes(runtime) === true) await expectNoWaiting({ get, log }, path)
      else expect(await (await get(path)).text()).toContain(answer)
    },
  )
})
