import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it } from 'vitest'
import { compileComponent } from '../../../src/run/component/compile.ts'
import { instantiateComponent } from '../../../src/run/component/instantiate.ts'
import type { HostInterface } from '../../../src/run/component/abi/items.ts'
import { parseComponent } from '../../../src/run/component/binary/parse.ts'
import { CANT_WAIT, itWaits } from '../waiting.ts'
import { lifted } from './lifted.ts'
import { start } from './start.ts'

/** B asks the host; A asks B, and gets its answer through both. */
const chain = (options = ''): string => `(component
  (import "f" (func $f (result u32)))
  (component $B (import "f" (func $f (result u32)))
    (core func $f (canon lower (func $f)))
    (core module $M (import "" "f" (func $f (result i32))) (func (export "g") (result i32) (i32.add (i32.const 1) (call $f))))
    (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
    ${lifted('g', 'g', '(result u32)', options)})
  (instance $b (instantiate $B (with "f" (func $f))))
  (alias export $b "g" (func $g))
  (instance $a (instantiate $B (with "f" (func $g))))
  (alias export $a "g" (func $h))
  (export "h" (func $h)))`

describe('waiting', () => {
  const expectRefusal = async (): Promise<void> => {
    const compiled = await compileComponent(parseComponent(await parse(chain())))
    const imports = (): HostInterface => ({
      functions: { f: async () => 40 },
      waits: new Set(['f']),
    })
    const asked = async (): Promise<unknown> =>
      (await instantiateComponent(compiled, { imports })).call(['h'])
    await expect(asked()).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(CANT_WAIT),
    })
  }

  it('needs no JSPI for what is there at once', async () => {
    expect(await (await start(chain(), { f: () => 40 })).call(['h'])).toBe(42)
  })

  itWaits(
    'goes through components that ask each other',
    async () => {
      const compiled = await compileComponent(parseComponent(await parse(chain())))
      const f = async (): Promise<number> => {
        await new Promise((resolve) => setTimeout(resolve, 2))
        return 40
      }
      const imports = (): HostInterface => ({ functions: { f }, waits: new Set(['f']) })
      const app = await instantiateComponent(compiled, { imports })
      expect(await app.call(['h'])).toBe(42)
      const second = app.call(['h'])
      // A component takes one call at a time, also while it waits.
      await expect((async () => app.call(['h']))()).rejects.toThrow(
        /called while its component runs/,
      )
      await expect(second).rejects.toThrow(/trapped|called while/)
    },
    expectRefusal,
  )

  itWaits(
    'ends in the host’s error',
    async () => {
      const compiled = await compileComponent(parseComponent(await parse(chain())))
      const imports = (): HostInterface => ({
        functions: { f: async () => Promise.reject(new Error('no luck')) },
        waits: new Set(['f']),
      })
      await expect((await instantiateComponent(compiled, { imports })).call(['h'])).rejects.toThrow(
        /no luck/,
      )
    },
    expectRefusal,
  )
})
