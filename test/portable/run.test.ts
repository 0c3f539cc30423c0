import { describe, expect, it } from 'vitest'
import { hasJspi } from '../../src/run/component/abi/jspi.ts'
import {
  createAppHandler,
  splitComponent,
  type AppHandlerOptions,
  type LogLine,
} from '../../src/run/index.ts'
import { parseBase64 } from '../../src/bytes/base64.ts'
import type { FetchHandler } from '../../src/types.ts'
import { HELLO } from '../guests/hello-base64.ts'
import { helloAround } from '../run/hello-app.ts'
import { canCompile } from './can-compile.ts'

const start = (options: AppHandlerOptions = {}): Promise<FetchHandler> =>
  createAppHandler(helloAround(HELLO), options)
const ask = async (app: FetchHandler, path: string): Promise<readonly [number, string]> => {
  const response = await app.fetch(new Request(`http://app.example${path}`))
  return [response.status, await response.text()]
}

/** Each engine has its own cases: none is skipped, for a lane leaves nothing out. */
if (canCompile)
  describe('an application, from its bytes', () => {
    it('answers a page, JSON and a static file', async () => {
      const app = await start()
      expect(await ask(app, '/')).toEqual([200, '<p>static</p>'])
      expect((await ask(app, '/hello/you'))[1]).toContain('Hello, you!')
      expect(JSON.parse((await ask(app, '/api?q'))[1])).toEqual({
        greeting: 'Hello',
        method: 'GET',
        path: '/api',
        query: 'q',
      })
      expect((await ask(app, '/static/none'))[0]).toBe(404)
    })

    it('waits for its host where the engine lets it, and says so where it doesn’t', async () => {
      const log: LogLine[] = []
      const get = async (): Promise<unknown> => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        return { tag: 'ok', val: 'Later' }
      }
      const app = await start({
        onLog: (line) => log.push(line),
        interfaces: { 'fermyon:spin/variables': { functions: { get }, waits: new Set(['get']) } },
      })
      const [status, text] = await ask(app, '/hello/you')
      if (hasJspi()) expect([status, text]).toEqual([200, expect.stringContaining('Later, you!')])
      else {
        expect(status).toBe(500)
        expect(log.at(-1)?.text).toMatch(/JSPI/)
      }
    })

    it('runs split into a skeleton and modules', async () => {
      const whole = parseBase64(HELLO) as Uint8Array
      const { skeleton, modules } = await splitComponent(whole)
      expect(skeleton.length).toBeLessThan(whole.length)
      const app = await createAppHandler(
        { ...helloAround(HELLO), component: async () => skeleton },
        {
          compile: (_, digest) =>
            WebAssembly.compile(modules.get(digest) as Uint8Array<ArrayBuffer>),
        },
      )
      expect((await ask(app, '/hello/you'))[1]).toContain('Hello, you!')
    })

    it('needs the modules that were split off', async () => {
      const { skeleton } = await splitComponent(parseBase64(HELLO) as Uint8Array)
      const app = { ...helloAround(HELLO), component: async () => skeleton }
      await expect(createAppHandler(app)).rejects.toMatchObject({ code: 'ERR_FILE_MISSING' })
      await expect(createAppHandler(app, { compile: () => undefined })).rejects.toMatchObject({
        code: 'ERR_NOT_FOUND',
      })
    })
  })

if (!canCompile)
  describe('where nothing may be compiled', () => {
    it('an application says how it can be run', async () => {
      await expect(start()).rejects.toMatchObject({
        code: 'ERR_UNSUPPORTED',
        message: expect.stringMatching(/option "compile"/),
      })
    })
  })
