// A component's file may have 20 MB. What is compiled of it is not kept a second time.
import { describe, expect, it } from 'vitest'
import { snapshotOf } from '../../src/run/app/app-snapshot.ts'
import { compileComponent, coreModules } from '../../src/run/component/compile.ts'
import { parseComponent } from '../../src/run/component/binary/parse.ts'
import { runAppOf } from '../../src/run/app/run-app.ts'
import { runInWorker } from '../../src/run/web-worker/run-in-worker.ts'
import { bytesOfFile, helloApp } from './fixtures.ts'

describe('of a component that runs', () => {
  it('no core module keeps its bytes once the engine has compiled it', async () => {
    const component = parseComponent(bytesOfFile('test/guests/proxy.wasm'))
    const before = coreModules(component).reduce((sum, { bytes }) => sum + bytes.length, 0)
    expect(before).toBeGreaterThan(10_000)
    const { modules } = await compileComponent(component)
    expect(modules.size).toBe(coreModules(component).length)
    expect(coreModules(component).filter(({ bytes }) => bytes.length > 0)).toEqual([])
  })

  it('the thread that runs it keeps no file', async () => {
    const app = structuredClone(await snapshotOf(runAppOf(helloApp())))
    expect(app.wasm.size).toBe(1)
    const answered = new Promise<unknown>((resolve) => {
      let send: ((event: { data: unknown }) => void) | undefined
      runInWorker({
        postMessage: resolve,
        addEventListener: (_, listener) => void (send = listener as typeof send),
      })
      send?.({ data: { type: 'start', app, options: {} } })
    })
    expect(await answered).toEqual({ type: 'ready' })
    expect(app.wasm.size).toBe(0)
  })
})
