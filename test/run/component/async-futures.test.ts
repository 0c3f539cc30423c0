import { describe, expect, it } from 'vitest'
import { createHostFuture, readFuture } from '../../../src/run/component/async/host-transfer.ts'
import { callback, guest, later, WAITING } from './async-guests.ts'
import { start } from './start.ts'

describe('a future', () => {
  const passes = (type: string, core: string, options: string): string =>
    guest({
      types: `(type $T (future ${type})) (type $R ${type})`,
      imports: [
        ...WAITING,
        [
          'read',
          '(param i32 i32) (result i32)',
          `canon future.read $T async (memory $mem) (realloc $realloc)`,
        ],
        ['return', `(param ${core})`, `canon task.return (result $R) ${options}`],
      ],
      code: `(global $f (mut i32) (i32.const 0))
        (func $give (call $return ${core
          .split(' ')
          .map((_, i) => `(i32.load (i32.const ${64 + i * 4}))`)
          .join(' ')}))
        (func (export "run") (param i32) (result i32) (local $set i32)
          (if (i32.eqz (call $read (local.get 0) (i32.const 64))) (then (call $give) (return (i32.const 0))))
          (local.set $set (call $set-new))
          (call $join (local.get 0) (local.get $set))
          (i32.or (i32.const 2) (i32.shl (local.get $set) (i32.const 4))))
        (func (export "cb") (param i32 i32 i32) (result i32) (call $give) (i32.const 0))`,
      exports: callback('run', '(param "f" $T) (result $R)', options),
    })

  it('has its value at once or later', async () => {
    const app = await start(passes('u32', 'i32', ''))
    expect(await app.call(['run'], createHostFuture(7))).toBe(7)
    expect(await app.call(['run'], createHostFuture(later(8)))).toBe(8)
  })

  it('passes values that need memory', async () => {
    const app = await start(passes('string', 'i32 i32', '(memory $mem)'))
    expect(await app.call(['run'], createHostFuture(later('über')))).toBe('über')
  })

  it('of the host can be read by the host', async () => {
    expect(await readFuture(createHostFuture(later('x')))).toBe('x')
  })
})
